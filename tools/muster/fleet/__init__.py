# SPDX-License-Identifier: Apache-2.0
"""Simulated devices by the million: who they are, what they do, and a load of them on a server."""
