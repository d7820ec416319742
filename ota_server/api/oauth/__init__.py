# SPDX-License-Identifier: Apache-2.0
"""OAuth 2 (RFC 6749), by Authlib: access tokens for people's tools and for products' apps."""
