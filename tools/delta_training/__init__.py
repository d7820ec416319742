# SPDX-License-Identifier: Apache-2.0
"""Trains the tables of the patch coder on firmware that anyone can build."""
