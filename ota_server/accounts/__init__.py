# SPDX-License-Identifier: Apache-2.0
"""Accounts, tokens and sign-in sessions."""
