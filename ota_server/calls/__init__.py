# SPDX-License-Identifier: Apache-2.0
"""Calls: functions that people call on devices, and variables that they read."""
