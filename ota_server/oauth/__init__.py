# SPDX-License-Identifier: Apache-2.0
"""OAuth 2: the clients that may ask for tokens."""
