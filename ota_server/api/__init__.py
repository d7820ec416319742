# SPDX-License-Identifier: Apache-2.0
"""HTTP for devices, for people and for programs."""
