# SPDX-License-Identifier: Apache-2.0
"""What devices tell: history, logs, events and crashes; and the feed that wakes whoever watches."""
