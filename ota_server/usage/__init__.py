# SPDX-License-Identifier: Apache-2.0
"""What organizations use, day by day, and how much they may."""
