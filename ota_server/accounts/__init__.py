# SPDX-License-Identifier: Apache-2.0
"""Accounts, tokens, sign-in sessions and the audit log."""
