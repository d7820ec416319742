# SPDX-License-Identifier: Apache-2.0
"""A patch as a value."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from muster.delta.header import PatchHeader


@dataclass(frozen=True, slots=True)
class Patch:
    """The bytes of a patch whose header is valid. Only applying it shows that its stream is, too.

    Attributes:
        raw: header and coded stream.
        header: the header, parsed.
        digest: SHA-256 of `raw`, 32 bytes; the name a patch goes by.

    Raises:
        PatchTruncated, PatchHeaderError: the header is not valid.
    """

    raw: bytes
    header: PatchHeader = field(init=False, compare=False)
    digest: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "header", PatchHeader.from_bytes(self.raw))
        object.__setattr__(self, "digest", hashlib.sha256(self.raw).digest())

    @classmethod
    def from_bytes(cls, raw: bytes) -> Patch:
        """A patch from its bytes; raises as the class does."""
        return cls(bytes(raw))

    def __len__(self) -> int:
        return len(self.raw)
