# SPDX-License-Identifier: Apache-2.0
"""Webhooks: events that become requests to servers elsewhere."""
