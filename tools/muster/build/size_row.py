# SPDX-License-Identifier: Apache-2.0
"""One line of a size report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SizeRow:
    """One budget, in bytes."""

    name: str
    use: int
    limit: int

    @property
    def over(self) -> int:
        """Bytes above the limit; 0 or less where it is kept."""
        return self.use - self.limit
