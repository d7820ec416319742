# SPDX-License-Identifier: Apache-2.0
"""Writes the stream of a patch from explicit operations, by docs/spec/patch.md sections 3 to 5, legal or not.

It shares nothing with the library: the vectors stay what they are when the library's encoder gets better.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

_EVEN = 32768


@dataclass(frozen=True, slots=True)
class Literal:
    length: int


@dataclass(frozen=True, slots=True)
class FromBase:
    length: int
    source: int


@dataclass(frozen=True, slots=True)
class FromTarget:
    length: int
    distance: int


@dataclass(frozen=True, slots=True)
class HugeNumber:
    """A literal run whose length has a mantissa of this many bits; nothing follows."""

    bits: int
    length = 0


Operation = Literal | FromBase | FromTarget | HugeNumber


@dataclass(frozen=True, slots=True)
class Layout:
    """Header fields of an image pair; of a raw pair everything is zero."""

    kind: int = 0
    body_hash_off: int = 0
    load_base: int = 0
    base_reloc: int = 0
    target_reloc: int = 0
    base_identity: bytes | None = None
    target_identity: bytes | None = None
    profile: int = 1
    version: int = 1


def header_bytes(base: bytes, target: bytes, layout: Layout) -> bytes:
    """Section 2. Identities are those of a raw pair unless the layout has others."""
    base_id = layout.base_identity
    if base_id is None:
        base_id = hashlib.sha256(base).digest()[:16] if base else bytes(16)
    target_id = layout.target_identity if layout.target_identity is not None else hashlib.sha256(target).digest()[:16]
    head = struct.pack("<4sBBBB", b"MUSP", layout.version, layout.profile, layout.kind, layout.body_hash_off)
    head += struct.pack("<5I", layout.load_base, len(base), layout.base_reloc, len(target), layout.target_reloc)
    head += base_id + target_id
    return head + struct.pack("<I", zlib.crc32(head))


def patch_bytes(base: bytes, target: bytes, operations: list[list[Operation]], layout: Layout = Layout()) -> bytes:
    """A whole patch. `operations` has one list per part: table, code, tail; one list for a raw pair."""
    parts = operations if layout.kind == 1 else [[], *operations, []]
    return header_bytes(base, target, layout) + _Stream(base, target, layout).write(parts)


class _Stream:
    def __init__(self, base: bytes, target: bytes, layout: Layout) -> None:
        self.base, self.target, self.kind = base, target, layout.kind
        tail = 556 if layout.kind else 0
        reloc = layout.target_reloc if layout.kind else len(target)
        ext = len(target) - tail
        self.order = [*range(reloc, ext), *range(reloc), *range(ext, len(target))]
        base_ext = len(base) - tail if base else 0
        base_reloc = layout.base_reloc if layout.kind else len(base)
        self.alignments = [base_reloc - reloc, 0, base_ext - ext]
        hash_at = ext + layout.body_hash_off
        derived = [*range(0x188, 0x18C), *range(hash_at, hash_at + 32), *range(len(target) - 38, len(target) - 6)]
        self.derived = {*derived, *range(len(target) - 4, len(target))} if layout.kind else set()
        self.position = 0
        self.low, self.high = 0, 0xFFFF_FFFF
        self.out = bytearray()
        self.is_copy, self.is_target = [_EVEN] * 4, [_EVEN] * 4
        self.numbers = [[_EVEN] * 32 for _ in range(5)]
        self.hit = [63488] * 264
        self.difference = [[_EVEN] * 256 for _ in range(2)]
        self.literal = [[_EVEN] * 256 for _ in range(2)]
        self.history, self.run = 0xFF, 0

    def write(self, parts: list[list[Operation]]) -> bytes:
        for operations, alignment in zip(parts, self.alignments, strict=True):
            last = 0
            for operation in operations:
                last, alignment = self._operation(operation, last, alignment)
        return bytes(self.out) + self.low.to_bytes(4, "big")

    def _operation(self, operation: Operation, last: int, alignment: int) -> tuple[int, int]:
        kind = {Literal: 1, HugeNumber: 1, FromBase: 2, FromTarget: 3}[type(operation)]
        if last != 1:
            self._adaptive(self.is_copy, last, int(kind != 1), 4)
        if kind != 1:
            self._adaptive(self.is_target, last, int(kind == 3), 4)
        if isinstance(operation, HugeNumber):
            self._tree(self.numbers[0], operation.bits, 5)
            return kind, alignment
        self._number(kind - 1, operation.length - 1)
        if isinstance(operation, FromBase):
            shift = operation.source - self.order[self.position] - alignment
            self._number(3, -2 * shift - 1 if shift < 0 else 2 * shift)
            alignment += shift
        elif isinstance(operation, FromTarget):
            self._number(4, operation.distance - 1)
        for step in range(min(operation.length, len(self.target) - self.position)):
            at = self.order[self.position]
            if at not in self.derived:
                self._byte(operation, at, step)
            self.position += 1
        return kind, alignment

    def _byte(self, operation: Operation, at: int, step: int) -> None:
        if isinstance(operation, Literal):
            self._tree(self.literal[at % 2], self.target[at], 8)
        elif isinstance(operation, FromBase) and 0 <= operation.source + step < len(self.base):
            difference = (self.target[at] - self.base[operation.source + step]) % 256
            buckets = sum(self.run >= 2 ** (k + 4) for k in range(7))
            context = self.history if self.history != 0xFF else 256 + buckets
            hit = int(difference == 0)
            self._adaptive(self.hit, context, hit, 5)
            self.history = (self.history << 1 | hit) & 0xFF
            self.run = self.run + 1 if hit else 0
            if not hit:
                self._tree(self.difference[at % 2], difference, 8)

    def _decision(self, bit: int, chance: int) -> None:
        split = self.low + (self.high - self.low) * chance // 65536
        self.low, self.high = (self.low, split) if bit else (split + 1, self.high)
        while self.low >> 24 == self.high >> 24:
            self.out.append(self.low >> 24)
            self.low = self.low << 8 & 0xFFFF_FFFF
            self.high = (self.high << 8 | 0xFF) & 0xFFFF_FFFF

    def _adaptive(self, counters: list[int], index: int, bit: int, rate: int) -> None:
        chance = counters[index]
        self._decision(bit, chance)
        counters[index] = chance + ((65535 - chance) >> rate) if bit else chance - (chance >> rate)

    def _tree(self, counters: list[int], value: int, bits: int) -> None:
        node = 1
        for at in reversed(range(bits)):
            bit = value >> at & 1
            self._adaptive(counters, node, bit, 4)
            node = 2 * node + bit

    def _number(self, which: int, value: int) -> None:
        bits = (value + 1).bit_length() - 1
        self._tree(self.numbers[which], bits, 5)
        for at in reversed(range(bits)):
            self._decision(value + 1 >> at & 1, _EVEN)
