# SPDX-License-Identifier: Apache-2.0
"""The decoder as a device uses it: through its port, in pieces, and over power cuts. docs/spec/patch.md."""

from __future__ import annotations

import random
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from muster.delta import ImageLayout, Patch, PatchHeader, PatchKind, PatchProfile, encode
from muster.errors import MusterError
from muster.layout import BODY_MIN_SIZE, PREFIX_OFFSET, SLOT_A_ADDR, TAIL_SIZE
from muster.status import OtaStatus
from tests.firmware.core.delta_port import Checkpoint, DeltaPort, layout_of
from tests.host.library import CoreLibrary
from tests.muster.delta.pairs import code_like, image_of, module_of
from tests.vectors.patch_cases import base_of, target_holds
from tests.vectors.reading import Case, cases

_CHECKPOINT_LEN = 32_768
_RNG = random.Random(4)
_CODE = code_like(_RNG, 90_000)
_BASE = image_of(_CODE, 1, range(0x19C, 80_000, 32)).raw
_EDITED = _CODE[:20_000] + _RNG.randbytes(600) + _CODE[20_000:50_000] + _CODE[52_000:] + _CODE[:4000]
_TARGET = image_of(_EDITED, 2, range(0x19C, 85_000, 36)).raw
_PATCH = encode(_BASE, _TARGET)
_SMALL_BASE = image_of(_CODE[:1500], 1).raw
_SMALL_TARGET = image_of(_CODE[100:1700], 2, range(0x1A0, 0x400, 8)).raw
_SMALL = encode(_SMALL_BASE, _SMALL_TARGET)
_LONG_PAIRS = {
    "image": (_BASE, _TARGET),
    "full image": (b"", _TARGET),
    "raw of odd length": (_CODE[:70_001], _EDITED[:69_999]),
    "module": (module_of(_CODE), module_of(_EDITED)),
}
Profiles = pytest.mark.parametrize("profile", PatchProfile, ids=lambda profile: profile.name)
LongPairs = pytest.mark.parametrize(("base", "target"), _LONG_PAIRS.values(), ids=_LONG_PAIRS)


@pytest.mark.parametrize("pieces", [0, 1], ids=["at once", "bytewise"])
@pytest.mark.parametrize("case", cases("patch/patches.json"), ids=lambda case: case["name"])
def test_golden_patch_makes_its_target(core: CoreLibrary, case: Case, pieces: int) -> None:
    patch = bytes.fromhex(case["patch"])
    port = DeltaPort(core, base_of(case), PatchHeader.from_bytes(patch))
    assert port.decode(patch, [1] * len(patch) * pieces) is OtaStatus.OK
    assert port.is_done()
    assert target_holds(case, port.target)


@pytest.mark.parametrize("case", cases("patch/refused.json"), ids=lambda case: case["name"])
def test_golden_bad_patch_is_refused(core: CoreLibrary, case: Case) -> None:
    patch, base = bytes.fromhex(case["patch"]), base_of(case)
    layout = layout_of(base, PatchKind(patch[0] & 3 if patch else 0))
    port = DeltaPort(core, base, _header_for(base, patch) or _full_header(), layout=layout)
    assert port.decode(patch) is OtaStatus(case["status"])
    assert not port.is_done()
    assert port.begun == case["begins"]


def _full_header() -> PatchHeader:
    """Of a patch that is never begun."""
    return encode(b"", b"x").header


def _header_for(base: bytes, patch: bytes) -> PatchHeader | None:
    try:
        header = PatchHeader.from_bytes(patch)
        header.target_length(len(base))
    except MusterError:
        return None
    return header


@Profiles
@LongPairs
def test_target_is_written_in_order_without_holes(
    core: CoreLibrary, base: bytes, target: bytes, profile: PatchProfile
) -> None:
    patch = encode(base, target, profile=profile)
    port = DeltaPort(core, base, patch.header, profile=profile)
    assert port.decode(patch.raw) is OtaStatus.OK
    assert port.is_done()
    assert port.begun == 1
    assert port.target == target
    written = 0
    for off, length in port.pieces:
        assert port.order_of(off) == written
        assert port.order_of(off + length - 1) == written + length - 1
        written += length
    assert written == len(target)


def test_lists_of_the_table_come_first_and_its_head_last(core: CoreLibrary) -> None:
    """A table whose head says nothing yet is none that a reader could believe."""
    port = DeltaPort(core, _BASE, _PATCH.header)
    assert port.decode(_PATCH.raw) is OtaStatus.OK
    table = [off for off, _ in port.pieces if port.reloc_start <= off < len(_TARGET) - TAIL_SIZE]
    assert table[-1] == port.reloc_start
    assert table[0] > port.reloc_start
    assert port.pieces[len(table)][0] == 0


@Profiles
@LongPairs
def test_checkpoints_come_each_32_kib_of_output(
    core: CoreLibrary, base: bytes, target: bytes, profile: PatchProfile
) -> None:
    patch = encode(base, target, profile=profile)
    port = DeltaPort(core, base, patch.header, profile=profile)
    assert port.decode(patch.raw) is OtaStatus.OK
    assert len(port.checkpoints) == (port.reloc_start - 1) // _CHECKPOINT_LEN >= 2
    for number, checkpoint in enumerate(port.checkpoints, start=1):
        assert abs(checkpoint.position - number * _CHECKPOINT_LEN) < 4
        assert checkpoint.patch_off <= len(patch)


@pytest.mark.parametrize("length", [32_768, 65_536], ids=str)
def test_no_checkpoint_at_the_end(core: CoreLibrary, length: int) -> None:
    target = _CODE[:length]
    patch = encode(b"", target)
    port = DeltaPort(core, b"", patch.header)
    assert port.decode(patch.raw) is OtaStatus.OK
    assert port.target == target
    assert len(port.checkpoints) == length // _CHECKPOINT_LEN - 1


@pytest.mark.parametrize("rewrites", [False, True], ids=["blank", "more was written"])
@Profiles
@LongPairs
def test_resuming_from_any_checkpoint_gives_the_same(
    core: CoreLibrary, base: bytes, target: bytes, profile: PatchProfile, rewrites: bool
) -> None:
    patch = encode(base, target, profile=profile)
    straight = DeltaPort(core, base, patch.header, profile=profile)
    assert straight.decode(patch.raw) is OtaStatus.OK
    assert straight.checkpoints
    for checkpoint in straight.checkpoints:
        assert len(checkpoint.state) <= core.lib.OTA_DELTA_SAVED_MAX
        resumed = DeltaPort(core, base, patch.header, profile=profile)
        places = [resumed.position_of(off) for off in range(len(target))]
        resumed.written = [
            byte if rewrites or place is None or place < checkpoint.position else None
            for byte, place in zip(target, places, strict=True)
        ]
        status, patch_off = resumed.restore(checkpoint.state)
        assert status is OtaStatus.OK
        assert patch_off == checkpoint.patch_off
        assert resumed.decode(patch.raw[patch_off:], [1] * min(200, len(patch) - patch_off)) is OtaStatus.OK
        assert resumed.begun == 0
        assert resumed.target == target
        assert [later.position for later in straight.checkpoints if later.position > checkpoint.position] == [
            later.position for later in resumed.checkpoints
        ]


def test_checkpoint_holds_any_number_of_pushed_bytes(core: CoreLibrary) -> None:
    """The state counts what it took in, not what was offered: pushing one byte at a time gives checkpoints, too."""
    at_once = DeltaPort(core, _BASE, _PATCH.header)
    singly = DeltaPort(core, _BASE, _PATCH.header)
    assert at_once.decode(_PATCH.raw) is OtaStatus.OK
    assert singly.decode(_PATCH.raw, [1] * len(_PATCH)) is OtaStatus.OK
    for checkpoint in singly.checkpoints + at_once.checkpoints:
        resumed = DeltaPort(core, _BASE, _PATCH.header)
        resumed.written = list(_TARGET)
        assert resumed.restore(checkpoint.state) == (OtaStatus.OK, checkpoint.patch_off)
        assert resumed.decode(_PATCH.raw[checkpoint.patch_off :]) is OtaStatus.OK
        assert resumed.target == _TARGET


@settings(max_examples=40)
@given(st.lists(st.integers(0, 150), max_size=60))
def test_pieces_of_any_size_give_the_same(core: CoreLibrary, pieces: list[int]) -> None:
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
    assert port.decode(_SMALL.raw, pieces) is OtaStatus.OK
    assert port.target == _SMALL_TARGET


@settings(max_examples=200)
@given(st.data())
def test_hostile_streams_stay_inside_and_end_alike_in_any_pieces(core: CoreLibrary, data: st.DataObject) -> None:
    """The port fails the test on any access outside."""
    raw, size = bytearray(_SMALL.raw), _SMALL.header.size
    if data.draw(st.booleans()):
        raw[size:] = data.draw(st.binary(max_size=300))
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(size, len(raw) - 1))] = data.draw(st.integers(0, 255))
    at_once, in_pieces = (DeltaPort(core, _SMALL_BASE, _SMALL.header) for _ in range(2))
    status = at_once.decode(bytes(raw))
    assert at_once.is_done() == (status is OtaStatus.OK)
    assert not at_once.is_done() or at_once.target == _SMALL_TARGET
    assert in_pieces.decode(bytes(raw), data.draw(st.lists(st.integers(0, 90), max_size=10))) is status
    assert in_pieces.written == at_once.written


# The header


@st.composite
def header_bytes(draw: st.DrawFn) -> bytes:
    """Headers that hold, some bytes of them changed, and some cut short or grown."""
    raw = bytearray(draw(st.sampled_from([_SMALL, _PATCH, *_OTHER_PATCHES])).raw[:24])
    raw[0] = draw(st.sampled_from([raw[0], raw[0] ^ 1, raw[0] ^ 2, raw[0] ^ 4, raw[0] ^ 8, raw[0] ^ 0x20]))
    for _ in range(draw(st.integers(0, 3))):
        raw[draw(st.integers(1, 16))] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    return bytes(raw[: draw(st.integers(0, 24))])


_OTHER_PATCHES = [
    encode(b"", _SMALL_TARGET),
    encode(b"", module_of(_CODE[:400])),
    encode(_CODE[:99], _CODE[:300], load_base=0x0802_0000),
    encode(b"", _CODE[:64]),
]


@settings(max_examples=500)
@given(header_bytes(), st.sampled_from(PatchKind))
@example(bytes([_SMALL.raw[0] ^ 1]) + _SMALL.raw[1:8] + b"X2", PatchKind.IMAGE)  # no longer an image's patch
def test_both_header_parsers_agree(core: CoreLibrary, raw: bytes, held_as: PatchKind) -> None:
    layout = layout_of(_SMALL_BASE, held_as)
    facts = core.ffi.new("struct ota_delta_base *", [[layout.length, layout.reloc_start], layout.base_check])
    parsed: Any = core.ffi.new("struct ota_delta_header *")
    size: Any = core.ffi.new("uint32_t *")
    status = OtaStatus(core.lib.ota_delta_header_parse(raw, len(raw), facts, parsed, size))
    expected = _header_or_status(raw, layout)
    if not isinstance(expected, PatchHeader):
        assert status is expected
        return
    assert status is OtaStatus.OK
    assert size[0] == expected.size
    assert (parsed.profile, parsed.kind) == (expected.profile, expected.kind)
    assert bytes(parsed.base_check) == (expected.base_check or bytes(3))
    assert bytes(parsed.target_check) == expected.target_check
    assert parsed.base.len == (0 if expected.is_full_image else layout.length)
    assert parsed.target.len == expected.length_change + parsed.base.len
    base_start = parsed.base.reloc_start if expected.kind is PatchKind.IMAGE else parsed.base.len
    assert parsed.target.reloc_start == expected.reloc_change + base_start
    if expected.load_base is not None:
        assert parsed.load_base == expected.load_base


def _header_or_status(raw: bytes, layout: ImageLayout) -> PatchHeader | OtaStatus | None:
    """What Python says of a header, and docs/spec/patch.md section 2 of the lengths that follow from the base."""
    try:
        header = PatchHeader.from_bytes(raw)
        base_len = 0 if header.is_full_image else layout.length
        reloc_start = 0 if header.is_full_image else layout.reloc_start
        is_image = header.kind is PatchKind.IMAGE
        if not header.is_full_image and header.base_check != layout.base_check:
            return OtaStatus.ERR_PATCH_BASE
        if not header.is_full_image and is_image and not _is_image_layout(base_len, reloc_start):
            return OtaStatus.ERR_PATCH_BASE
        length = header.target_length(layout.length)
    except MusterError as error:
        return error.status
    if is_image and not _is_image_layout(length, reloc_start + header.reloc_change):
        return OtaStatus.ERR_PATCH_HEADER
    if header.kind.prefix_at is not None and length < header.kind.prefix_at + 64:
        return OtaStatus.ERR_PATCH_HEADER
    return header


def _is_image_layout(length: int, reloc_start: int) -> bool:
    if length % 4 or reloc_start % 4 or length < BODY_MIN_SIZE + 4 + TAIL_SIZE:
        return False
    return BODY_MIN_SIZE <= reloc_start < length - TAIL_SIZE


@pytest.mark.parametrize("length", range(_SMALL.header.size), ids=str)
def test_patch_without_a_whole_header_is_truncated(core: CoreLibrary, length: int) -> None:
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
    assert port.decode(_SMALL.raw[:length]) is OtaStatus.ERR_PATCH_TRUNCATED
    assert port.begun == 0


@pytest.mark.parametrize("number", [0, 3])
def test_profile_that_nobody_has_is_refused_before_begin(core: CoreLibrary, number: int) -> None:
    header = replace(_SMALL.header, profile=number)
    port = DeltaPort(core, _SMALL_BASE, header)
    assert port.decode(header.to_bytes() + _SMALL.raw[header.size :]) is OtaStatus.ERR_PATCH_PROFILE
    assert port.begun == 0


def test_profile_that_the_device_lacks_is_refused_before_begin(core: CoreLibrary) -> None:
    patch = encode(_SMALL_BASE, _SMALL_TARGET, profile=PatchProfile.LARGE)
    port = DeltaPort(core, _SMALL_BASE, patch.header, profile=PatchProfile.SMALL)
    assert port.decode(patch.raw) is OtaStatus.ERR_PATCH_PROFILE
    assert port.begun == 0


def test_larger_decoder_has_the_smaller_profile_too(core: CoreLibrary) -> None:
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header, profile=PatchProfile.LARGE)
    assert _SMALL.header.profile == PatchProfile.SMALL
    assert port.decode(_SMALL.raw) is OtaStatus.OK
    assert port.target == _SMALL_TARGET


def test_wrong_base_is_refused_before_begin(core: CoreLibrary) -> None:
    other = replace(layout_of(_SMALL_BASE, PatchKind.IMAGE), identity=b"another identity")
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header, layout=other)
    assert port.decode(_SMALL.raw) is OtaStatus.ERR_PATCH_BASE
    assert port.begun == 0


def test_device_without_an_image_has_no_base(core: CoreLibrary) -> None:
    header = replace(_SMALL.header, length_change=len(_SMALL_TARGET), reloc_change=0x19C)
    port = DeltaPort(core, b"", header)
    assert port.decode(_SMALL.raw) is OtaStatus.ERR_PATCH_BASE
    assert port.begun == 0


# Failures


def test_caller_may_refuse_before_the_first_write(core: CoreLibrary) -> None:
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
    port.refuse["begin"] = OtaStatus.ERR_PATCH_SIZE
    assert port.decode(_SMALL.raw) is OtaStatus.ERR_PATCH_SIZE
    assert not port.pieces


@pytest.mark.parametrize("name", ["read_base", "read_target", "write_target", "checkpoint"])
def test_a_failing_port_stops_the_decoder_for_good(core: CoreLibrary, name: str) -> None:
    port = DeltaPort(core, _BASE, _PATCH.header)
    port.refuse[name] = OtaStatus.ERR_FLASH_PROGRAM
    assert port.decode(_PATCH.raw) is OtaStatus.ERR_FLASH_PROGRAM
    written = len(port.pieces)
    port.refuse.clear()
    assert port.push(_PATCH.raw) is OtaStatus.ERR_FLASH_PROGRAM
    assert port.finish() is OtaStatus.ERR_FLASH_PROGRAM
    assert not port.is_done()
    assert len(port.pieces) == written


def test_bytes_behind_the_end_are_refused(core: CoreLibrary) -> None:
    """More than the look-ahead holds: fewer of them would not be seen before the end."""
    for more in (bytes(5), bytes(64), bytes(500)):
        port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
        assert port.decode(_SMALL.raw + more) is OtaStatus.ERR_PATCH_TRAILING
        assert not port.is_done()


def test_bytes_after_finishing_are_refused(core: CoreLibrary) -> None:
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
    assert port.decode(_SMALL.raw) is OtaStatus.OK
    assert port.finish() is OtaStatus.OK
    assert port.push(b"") is OtaStatus.OK
    assert port.is_done()
    assert port.push(b"x") is OtaStatus.ERR_PATCH_TRAILING
    assert not port.is_done()


def test_patch_cut_short_is_not_done(core: CoreLibrary) -> None:
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
    assert port.push(_SMALL.raw) is OtaStatus.OK
    assert not port.is_done()
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
    assert port.decode(_SMALL.raw[: len(_SMALL) // 2]) is OtaStatus.ERR_PATCH_TRUNCATED


def test_base_that_changes_under_the_decoder_is_noticed(core: CoreLibrary) -> None:
    changed = bytearray(_SMALL_BASE)
    changed[0x600] ^= 1
    port = DeltaPort(core, bytes(changed), _SMALL.header, layout=layout_of(_SMALL_BASE, PatchKind.IMAGE))
    assert port.decode(_SMALL.raw) in (
        OtaStatus.ERR_IDENTITY,
        OtaStatus.ERR_PATCH_RANGE,
        OtaStatus.ERR_PATCH_TRUNCATED,
        OtaStatus.ERR_PATCH_TRAILING,
    )
    assert not port.is_done()


def test_module_is_relinked_by_its_base(core: CoreLibrary) -> None:
    """Where the module begins, its base says; only a patch without one has it in its header."""
    base, target = (module_of(code, prefix_at=PREFIX_OFFSET) for code in (_CODE[:900], _CODE[40:1300]))
    patch = encode(base, target)
    assert (patch.header.kind, patch.header.load_base) == (PatchKind.MODULE_AT_184, None)
    port = DeltaPort(core, base, patch.header)
    assert port.decode(patch.raw) is OtaStatus.OK
    state: Any = port.state
    assert state.kept.header.load_base == SLOT_A_ADDR
    assert port.target == target


# Checkpoints that are none


@pytest.fixture(scope="module")
def in_copy(core: CoreLibrary) -> Checkpoint:
    """The last checkpoint: it lies inside a copy from the base."""
    return _checkpoints(core, _BASE, _PATCH)[-1]


def _checkpoints(core: CoreLibrary, base: bytes, patch: Patch) -> list[Checkpoint]:
    straight = DeltaPort(core, base, patch.header)
    assert straight.decode(patch.raw) is OtaStatus.OK
    return straight.checkpoints


def _past(core: CoreLibrary, saved: bytes, member: str, value: int) -> bytes:
    """The checkpoint with another value in one field, and the CRC that it then has."""
    memory = core.ffi.new("uint8_t[]", saved)
    place: Any = core.ffi.cast("struct ota_delta_kept *", memory)
    *path, name = member.split(".")
    for step in path:
        place = getattr(place, step)
    setattr(place, name, value)
    raw = bytes(core.ffi.buffer(memory))[: len(saved) - 4]
    return raw + zlib.crc32(raw).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("layout", 0),
        ("header.profile", 0),
        ("header.profile", 2),
        ("header.profile", 3),
        ("header.base.len", len(_BASE) + 4),
    ],
)
def test_checkpoint_of_another_decoder_or_base_is_refused(
    core: CoreLibrary, in_copy: Checkpoint, member: str, value: int
) -> None:
    port = DeltaPort(core, _BASE, _PATCH.header)
    assert port.restore(_past(core, in_copy.state, "checkpoint_due", 99_999))[0] is OtaStatus.OK
    assert port.restore(_past(core, in_copy.state, member, value))[0] is OtaStatus.ERR_STATE
    assert port.push(b"") is OtaStatus.ERR_STATE


def test_bytes_that_are_no_checkpoint_are_refused(core: CoreLibrary, in_copy: Checkpoint) -> None:
    port = DeltaPort(core, _BASE, _PATCH.header)
    saved = in_copy.state
    for other in (b"", saved[:4], saved[:-1], saved + b"\0", bytes(len(saved)), b"\xff" * len(saved)):
        assert port.restore(other)[0] is OtaStatus.ERR_STATE


def test_checkpoint_of_a_larger_decoder_is_refused(core: CoreLibrary) -> None:
    patch = encode(_BASE, _TARGET, profile=PatchProfile.LARGE)
    saved = _checkpoints(core, _BASE, patch)[0].state
    assert DeltaPort(core, _BASE, patch.header).restore(saved)[0] is OtaStatus.OK
    small = DeltaPort(core, _BASE, patch.header, profile=PatchProfile.SMALL)
    assert small.restore(saved)[0] is OtaStatus.ERR_STATE


@settings(max_examples=80)
@given(st.integers(0, 1 << 32), st.integers(1, 255))
def test_damaged_checkpoint_is_refused(core: CoreLibrary, in_copy: Checkpoint, place: int, change: int) -> None:
    state = bytearray(in_copy.state)
    state[place % len(state)] ^= change
    assert DeltaPort(core, _BASE, _PATCH.header).restore(bytes(state))[0] is OtaStatus.ERR_STATE
