# SPDX-License-Identifier: Apache-2.0
"""Hourly figures of products: what is noted every hour, so that pages can say what has changed."""
