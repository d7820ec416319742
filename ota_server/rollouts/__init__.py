# SPDX-License-Identifier: Apache-2.0
"""Rollouts: who is offered what, what came of it, and when to go on or stop."""
