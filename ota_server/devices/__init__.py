# SPDX-License-Identifier: Apache-2.0
"""Devices: who they are, their sessions and their check-ins."""
