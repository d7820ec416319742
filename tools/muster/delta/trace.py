# SPDX-License-Identifier: Apache-2.0
"""What a patch spends its bits on: one record per decision of the decoder (docs/spec/patch.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from muster.delta import codec
from muster.delta.apply import checked_header
from muster.delta.header import PatchHeader


class Coding(StrEnum):
    """What bits were spent on."""

    MAP = "map"
    """An entry of the map: where a stretch of the base lies in the target."""
    TABLE = "relocations"
    """The relocation table."""
    LITERAL = "literal"
    """Bytes that come from nowhere else."""
    BRANCH = "branch"
    """The target of a branch or call: in new code, or one that was predicted wrongly."""
    POINTER = "pointer"
    """An address: a word in new data, or one that was predicted wrongly; or how far a constant is from its load."""
    MISS = "changed"
    """Something else in a copy that differs from its source."""
    HIT = "as predicted"
    """The word that a prediction holds."""
    COPY = "copy"
    """That a copy begins: its length and source."""
    TAIL = "signatures and ids"
    """What follows the code of an image: signatures, versions, ids."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Bits spent for the target bytes [offset, offset + length).

    What makes no byte itself has length 0: an entry of the map and the beginning of a copy, at the first byte of what
    is copied.
    """

    offset: int
    length: int
    bits: float
    coding: Coding


@dataclass(frozen=True, slots=True)
class Segment:
    """A copy, or the part of one that does not cross a relocation table.

    Attributes:
        target: offset in the target.
        source: offset in the base, or in the target where `from_target`.
        length: bytes.
        from_target: the source is what the patch has already made.
        in_map: the segment is an entry of the map.
    """

    target: int
    source: int
    length: int
    from_target: bool
    in_map: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """A patch taken apart.

    Attributes:
        header_bytes: length of the header.
        spent: in the order of the stream: first the map and the relocation table, then rising. Each byte of the target
            is in exactly one of them. What they add up to is the stream, but for its last bytes.
        segments: every copy, in the order of the stream: first the map.
    """

    header: PatchHeader
    header_bytes: int
    spent: tuple[Spent, ...]
    segments: tuple[Segment, ...]


_CODINGS = tuple(Coding)
"""By their number in tools/muster/native/delta_trace.h."""


def trace(base: bytes, patch: bytes) -> Trace:
    """Decodes a patch and accounts for each decision.

    The bits are those of the stream itself, to 1/65,536: the range coder's interval before and after each step.

    Raises:
        As `muster.delta.apply`.
    """
    header, layout = checked_header(base, patch)
    spent, copied = codec.trace_patch(base, layout, patch, header.target_length(len(base)))
    return Trace(
        header,
        header.size,
        tuple(Spent(offset, length, bits, _CODINGS[coding]) for offset, length, bits, coding in spent),
        tuple(Segment(*segment) for segment in copied),
    )
