# SPDX-License-Identifier: Apache-2.0
"""A second decoder, written from docs/spec/patch.md and from nothing else: slow, whole patches only, nothing shared."""

from __future__ import annotations

import hashlib
import struct
import zlib

from muster.status import OtaStatus

_NONE, _LITERAL, _BASE, _TARGET = range(4)
_LENGTH_MAX = 0x0100_0000


class Refused(Exception):
    """The patch is not valid, for this reason."""

    def __init__(self, status: OtaStatus) -> None:
        super().__init__(status.name)
        self.status = status


class _Header:
    def __init__(self, patch: bytes) -> None:
        if len(patch) < 64:
            raise Refused(OtaStatus.ERR_PATCH_TRUNCATED)
        head = patch[:64]
        magic, version, self.profile, self.kind, self.body_hash_off = struct.unpack_from("<4sBBBB", head)
        self.load_base, self.base_len, self.base_reloc, self.target_len, self.target_reloc = struct.unpack_from(
            "<5I", head, 8
        )
        self.base_identity, self.target_identity = head[28:44], head[44:60]
        (crc,) = struct.unpack_from("<I", head, 60)
        good = magic == b"MUSP" and version == 1 and crc == zlib.crc32(head[:60])
        good = (
            good and self.base_len <= _LENGTH_MAX and self.target_len <= _LENGTH_MAX and self.load_base <= 0xFEFF_FFFF
        )
        good = good and (self.base_len > 0 or not any(self.base_identity))
        if self.kind == 0:
            good = good and not (self.body_hash_off or self.base_reloc or self.target_reloc)
            self.base_reloc = self.base_ext = self.base_len
            self.target_reloc = self.target_ext = self.target_len
        elif self.kind == 1:
            good = good and self._is_layout(self.target_len, self.target_reloc)
            good = good and (self._is_layout(self.base_len, self.base_reloc) if self.base_len else self.base_reloc == 0)
            good = good and 4 <= self.body_hash_off <= 68 and self.load_base % 4 == 0
            self.base_ext = self.base_len - 556 if self.base_len else 0
            self.target_ext = self.target_len - 556
        else:
            good = False
        if not good:
            raise Refused(OtaStatus.ERR_PATCH_HEADER)

    @staticmethod
    def _is_layout(length: int, reloc_start: int) -> bool:
        return (
            length % 4 == 0
            and reloc_start % 4 == 0
            and length >= 0x19C + 4 + 556
            and 0x19C <= reloc_start < length - 556
        )


class _Range:
    def __init__(self, stream: bytes) -> None:
        self.stream = stream
        self.at = 0
        self.low, self.high, self.code = 0, 0xFFFF_FFFF, 0
        for _ in range(4):
            self.code = self.code << 8 | self._byte()

    def _byte(self) -> int:
        if self.at == len(self.stream):
            raise Refused(OtaStatus.ERR_PATCH_TRUNCATED)
        self.at += 1
        return self.stream[self.at - 1]

    def decision(self, chance: int) -> int:
        split = self.low + (self.high - self.low) * chance // 65536
        if self.code <= split:
            bit, self.high = 1, split
        else:
            bit, self.low = 0, split + 1
        while self.low >> 24 == self.high >> 24:
            self.low = self.low << 8 & 0xFFFF_FFFF
            self.high = (self.high << 8 | 0xFF) & 0xFFFF_FFFF
            self.code = (self.code << 8 | self._byte()) & 0xFFFF_FFFF
        return bit

    def adaptive(self, counters: list[int], index: int, rate: int) -> int:
        chance = counters[index]
        bit = self.decision(chance)
        counters[index] = chance + ((65535 - chance) >> rate) if bit else chance - (chance >> rate)
        return bit

    def tree(self, counters: list[int], bits: int) -> int:
        node = 1
        for _ in range(bits):
            node = node * 2 + self.adaptive(counters, node, 4)
        return node - (1 << bits)

    def number(self, counters: list[int]) -> int:
        bits = self.tree(counters, 5)
        if bits > 24:
            raise Refused(OtaStatus.ERR_PATCH_RANGE)
        value = 1
        for _ in range(bits):
            value = value * 2 + self.decision(32768)
        return value - 1


class _Decoder:
    def __init__(self, base: bytes, patch: bytes) -> None:
        self.header = _Header(patch)
        if self.header.profile != 1:
            raise Refused(OtaStatus.ERR_PATCH_PROFILE)
        if len(base) != self.header.base_len:
            raise Refused(OtaStatus.ERR_PATCH_BASE)
        self.base = base
        self.range = _Range(patch[64:])
        self.image = bytearray(self.header.target_len)
        self.order: list[int] = []  # offset of each position
        self.position = 0
        self.is_copy = [32768] * 4
        self.is_target = [32768] * 4
        self.lengths = {kind: [32768] * 32 for kind in (_LITERAL, _BASE, _TARGET)}
        self.shift = [32768] * 32
        self.distance = [32768] * 32
        self.hit = [63488] * 264
        self.difference = [[32768] * 256 for _ in range(2)]
        self.literal = [[32768] * 256 for _ in range(2)]
        self.hits = [1] * 8
        self.run = 0

    def decode(self) -> bytes:
        header = self.header
        parts = [
            (header.target_reloc, header.target_ext, header.base_reloc - header.target_reloc),
            (0, header.target_reloc, 0),
            (header.target_ext, header.target_len, header.base_ext - header.target_ext),
        ]
        for begin, end, _ in parts:
            self.order.extend(range(begin, end))
        done = 0
        for begin, end, alignment in parts:
            done += end - begin
            self._part(done, alignment)
        if self.range.at != len(self.range.stream):
            raise Refused(OtaStatus.ERR_PATCH_TRAILING)
        image = bytes(self.image)
        if self._identity(image) != header.target_identity:
            raise Refused(OtaStatus.ERR_IDENTITY)
        return image

    def _identity(self, image: bytes) -> bytes:
        if self.header.kind == 0:
            return hashlib.sha256(image).digest()[:16]
        kind, length = struct.unpack_from("<HH", image, self.header.target_ext)
        if kind != 0x8100 or not 4 <= length <= 100:
            raise Refused(OtaStatus.ERR_IDENTITY)
        manifest = image[self.header.target_ext + 4 : self.header.target_ext + length]
        return hashlib.sha256(manifest).digest()[:16]

    def _part(self, end: int, alignment: int) -> None:
        last = _NONE
        while self.position < end:
            last = self._operation(last)
            length = self.range.number(self.lengths[last]) + 1
            if length > end - self.position:
                raise Refused(OtaStatus.ERR_PATCH_RANGE)
            if last == _LITERAL:
                self._literals(length)
            elif last == _BASE:
                number = self.range.number(self.shift)
                alignment += -(number + 1) // 2 if number % 2 else number // 2
                self._from_base(length, alignment)
            else:
                self._from_target(length)

    def _operation(self, last: int) -> int:
        if last != _LITERAL and self.range.adaptive(self.is_copy, last, 4) == 0:
            return _LITERAL
        return _TARGET if self.range.adaptive(self.is_target, last, 4) else _BASE

    def _literals(self, length: int) -> None:
        for _ in range(length):
            if not self._derived():
                self._put(self.range.tree(self.literal[self.order[self.position] % 2], 8))

    def _from_base(self, length: int, alignment: int) -> None:
        source = (self.order[self.position] + alignment) % (1 << 32)
        if source > len(self.base) or length > len(self.base) - source:
            raise Refused(OtaStatus.ERR_PATCH_RANGE)
        for at in range(source, source + length):
            if self._derived():
                continue
            hit = self.range.adaptive(self.hit, self._hit_context(), 5)
            self.hits = [hit, *self.hits[:7]]
            self.run = self.run + 1 if hit else 0
            byte = self.base[at]
            if not hit:
                byte += self.range.tree(self.difference[self.order[self.position] % 2], 8)
            self._put(byte % 256)

    def _hit_context(self) -> int:
        if not all(self.hits):
            return sum(bit << at for at, bit in enumerate(self.hits))
        return 256 + next((k for k in range(7) if self.run < 2 ** (k + 4)), 7)

    def _from_target(self, length: int) -> None:
        distance = self.range.number(self.distance) + 1
        if distance > self.position:
            raise Refused(OtaStatus.ERR_PATCH_RANGE)
        for _ in range(length):
            if not self._derived():
                self._put(self.image[self.order[self.position - distance]])

    def _put(self, byte: int) -> None:
        self.image[self.order[self.position]] = byte
        self.position += 1

    def _derived(self) -> bool:
        if self.header.kind == 0:
            return False
        at, ext_start, end = self.order[self.position], self.header.target_ext, self.header.target_len
        body_hash_at = ext_start + self.header.body_hash_off
        if 0x188 <= at < 0x18C:
            value = (self.header.load_base + end - 4).to_bytes(4, "little")[at - 0x188]
        elif body_hash_at <= at < body_hash_at + 32:
            value = hashlib.sha256(self.image[:ext_start]).digest()[at - body_hash_at]
        elif end - 38 <= at < end - 6:
            value = hashlib.sha256(self.image[: end - 38]).digest()[at - (end - 38)]
        elif end - 4 <= at:
            value = zlib.crc32(self.image[: end - 4]).to_bytes(4, "big")[at - (end - 4)]
        else:
            return False
        self._put(value)
        return True


def decode(base: bytes, patch: bytes) -> bytes:
    """The target; the base's identity is not compared. Raises Refused."""
    return _Decoder(base, patch).decode()


def outcome(base: bytes, patch: bytes) -> bytes | OtaStatus:
    """The target, or why there is none."""
    try:
        return decode(base, patch)
    except Refused as refused:
        return refused.status
