# SPDX-License-Identifier: Apache-2.0
"""Releases: versions of a product, their images, and the patches between them."""
