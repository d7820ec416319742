# SPDX-License-Identifier: Apache-2.0
"""Customers: who owns devices of a product."""
