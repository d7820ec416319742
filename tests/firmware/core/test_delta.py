# SPDX-License-Identifier: Apache-2.0
"""The decoder as a device uses it: through its port, in pieces, and over power cuts. docs/spec/patch.md."""

from __future__ import annotations

import contextlib
import hashlib
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.delta import HEADER_SIZE, Patch, PatchHeader, encode, encode_full
from muster.errors import MusterError
from muster.status import OtaStatus
from tests.firmware.core.delta_port import PROFILE_4K, Checkpoint, DeltaPort
from tests.host.library import CoreLibrary
from tests.muster.delta.pairs import code_like, image_of
from tests.muster.delta.reference_decoder import outcome
from tests.muster.delta.test_header import resealed
from tests.vectors.patch_cases import long_base
from tests.vectors.reading import Case, cases

_RNG = random.Random(4)
_CODE = code_like(_RNG, 90_000)
_BASE = image_of(_CODE, 1, range(0x19C, 80_000, 32)).raw
_EDITED = _CODE[:20_000] + _RNG.randbytes(600) + _CODE[20_000:50_000] + _CODE[52_000:] + _CODE[:4000]
_TARGET = image_of(_EDITED, 2, range(0x19C, 85_000, 36)).raw
_PATCH = encode(_BASE, _TARGET)
_SMALL_BASE = image_of(_CODE[:1500], 1).raw
_SMALL_TARGET = image_of(_CODE[100:1700], 2, range(0x1A0, 0x400, 8)).raw
_SMALL = encode(_SMALL_BASE, _SMALL_TARGET)


@pytest.mark.parametrize("pieces", [0, 1], ids=["at once", "bytewise"])
@pytest.mark.parametrize("case", cases("patch/patches.json"), ids=lambda case: case["name"])
def test_golden_patch_makes_its_target(core: CoreLibrary, case: Case, pieces: int) -> None:
    patch = bytes.fromhex(case["patch"])
    base = long_base() if case["name"] == "raw_long" else bytes.fromhex(case["base"])
    port = DeltaPort(core, base, PatchHeader.from_bytes(patch))
    assert port.decode(patch, [1] * len(patch) * pieces) is OtaStatus.OK
    assert port.is_done()
    if case["name"] == "raw_long":
        assert hashlib.sha256(port.target).hexdigest() == case["target_sha256"]
    else:
        assert port.target == bytes.fromhex(case["target"])


@pytest.mark.parametrize("case", cases("patch/refused.json"), ids=lambda case: case["name"])
def test_golden_bad_patch_is_refused(core: CoreLibrary, case: Case) -> None:
    patch = bytes.fromhex(case["patch"])
    header = header_or_status(patch)
    is_decodable = isinstance(header, PatchHeader) and header.profile == 1
    port = DeltaPort(core, bytes.fromhex(case["base"]), header if isinstance(header, PatchHeader) else _SMALL.header)
    assert port.decode(patch) is OtaStatus(case["status"])
    assert not port.is_done()
    assert port.begun == is_decodable
    assert port.made == case.get("made", port.made)


def test_state_fits_its_profile(core: CoreLibrary) -> None:
    assert core.ffi.sizeof("struct ota_delta") <= core.lib.OTA_DELTA_STATE_MAX == 4096


def test_target_is_written_in_order_without_holes(core: CoreLibrary) -> None:
    port = DeltaPort(core, _BASE, _PATCH.header)
    assert port.decode(_PATCH.raw) is OtaStatus.OK
    assert port.is_done()
    assert port.begun == 1
    assert port.target == _TARGET
    position = 0
    for off, length in port.pieces:
        assert off % 4 == length % 4 == 0
        assert port.position_of(off) == position
        assert port.position_of(off + length - 1) == position + length - 1
        position += length
    assert position == len(_TARGET)
    assert port.pieces[0][0] == _PATCH.header.target_reloc_start


def test_checkpoints_come_each_32_kib_of_output(core: CoreLibrary) -> None:
    port = DeltaPort(core, _BASE, _PATCH.header)
    assert port.decode(_PATCH.raw) is OtaStatus.OK
    assert [checkpoint.position for checkpoint in port.checkpoints] == list(range(32_768, len(_TARGET), 32_768))
    assert len(port.checkpoints) >= 2


@pytest.mark.parametrize("length", [32_768, 65_536], ids=str)
def test_no_checkpoint_at_the_end(core: CoreLibrary, length: int) -> None:
    target = _CODE[:length]
    patch = encode(b"", target)
    port = DeltaPort(core, b"", patch.header)
    assert port.decode(patch.raw) is OtaStatus.OK
    assert port.target == target
    assert len(port.checkpoints) == length // 32_768 - 1


@pytest.mark.parametrize("patch", [_PATCH, encode_full(_TARGET)], ids=["patch", "full image"])
@pytest.mark.parametrize("rewrites", [False, True], ids=["blank", "more was written"])
def test_resuming_from_any_checkpoint_gives_the_same(core: CoreLibrary, patch: Patch, rewrites: bool) -> None:
    base = b"" if patch.header.is_full_image else _BASE
    straight = DeltaPort(core, base, patch.header)
    assert straight.decode(patch.raw) is OtaStatus.OK
    assert straight.checkpoints
    for checkpoint in straight.checkpoints:
        resumed = DeltaPort(core, base, patch.header)
        before = list(straight.target)
        for off in range(len(before)):
            if not rewrites and resumed.position_of(off) >= checkpoint.position:
                before[off] = -1
        resumed.written = [None if byte < 0 else byte for byte in before]
        status, patch_off = resumed.restore(checkpoint.state)
        assert status is OtaStatus.OK
        assert patch_off == checkpoint.patch_off
        assert resumed.decode(patch.raw[patch_off:], [1] * 200) is OtaStatus.OK
        assert resumed.begun == 0
        assert resumed.target == _TARGET


def test_checkpoint_holds_any_number_of_pushed_bytes(core: CoreLibrary) -> None:
    """The state counts what it took in, not what was offered: pushing one byte at a time gives the same checkpoints."""
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


@settings(max_examples=300)
@given(st.data())
def test_hostile_streams_stay_inside_and_end(core: CoreLibrary, data: st.DataObject) -> None:
    """The port fails the test on any access outside; the reference decoder says what the answer must be."""
    raw = bytearray(_SMALL.raw)
    if data.draw(st.booleans()):
        raw[HEADER_SIZE:] = data.draw(st.binary(max_size=300))
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(HEADER_SIZE, len(raw) - 1))] = data.draw(st.integers(0, 255))
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
    status = port.decode(bytes(raw), data.draw(st.lists(st.integers(0, 90), max_size=10)))
    assert port.is_done() == (status is OtaStatus.OK)
    assert (port.target if port.is_done() else status) == outcome(_SMALL_BASE, bytes(raw))


def header_or_status(raw: bytes) -> PatchHeader | OtaStatus | None:
    try:
        return PatchHeader.from_bytes(raw)
    except MusterError as error:
        return error.status


@settings(max_examples=300)
@given(st.data())
def test_both_header_parsers_agree(core: CoreLibrary, data: st.DataObject) -> None:
    raw = bytearray(_SMALL.raw[:HEADER_SIZE])
    interesting = st.sampled_from(
        [0, 1, 2, 3, 4, 0x19C, 0x1A0, 968, 972, 976, 0x0100_0000, 0x0100_0001, 0xFEFF_FFFF, 0xFFFF_FFFF]
    )
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            raw[data.draw(st.integers(4, 59))] = data.draw(st.integers(0, 255))
        else:
            at = data.draw(st.sampled_from([8, 12, 16, 20, 24]))
            raw[at : at + 4] = data.draw(interesting).to_bytes(4, "little")
    header = resealed(bytes(raw))
    parsed: Any = core.ffi.new("struct ota_delta_header *")
    status = OtaStatus(core.lib.ota_delta_header_parse(header, len(header), parsed))
    expected = header_or_status(header)
    if not isinstance(expected, PatchHeader):
        assert status is expected
        return
    assert status is OtaStatus.OK
    for name in ("profile", "kind", "body_hash_off", "load_base", "base_len", "target_len"):
        assert getattr(parsed, name) == getattr(expected, name)
    assert bytes(parsed.base_identity) == expected.base_identity
    assert bytes(parsed.target_identity) == expected.target_identity
    tail = 556 if expected.kind == 1 else 0
    assert parsed.target_ext_start == expected.target_len - tail
    assert parsed.base_ext_start == (expected.base_len - tail if expected.base_len else 0)


@pytest.mark.parametrize("at", range(60), ids=str)
def test_header_with_a_wrong_byte_is_refused_before_begin(core: CoreLibrary, at: int) -> None:
    raw = bytearray(_SMALL.raw)
    raw[at] ^= 0x40
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
    assert port.decode(bytes(raw)) is OtaStatus.ERR_PATCH_HEADER
    assert port.begun == 0
    assert not port.pieces


@pytest.mark.parametrize("length", [0, 1, 63], ids=str)
def test_patch_without_a_whole_header_is_truncated(core: CoreLibrary, length: int) -> None:
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
    assert port.decode(_SMALL.raw[:length]) is OtaStatus.ERR_PATCH_TRUNCATED
    assert port.begun == 0


def test_profile_that_the_device_lacks_is_refused_before_begin(core: CoreLibrary) -> None:
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header, profiles=0)
    assert port.decode(_SMALL.raw) is OtaStatus.ERR_PATCH_PROFILE
    assert port.begun == 0
    raw = bytearray(_SMALL.raw)
    raw[5] = 2
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header, profiles=PROFILE_4K | 1 << 2)
    assert port.decode(resealed(bytes(raw))) is OtaStatus.ERR_PATCH_PROFILE
    assert port.begun == 0


def test_wrong_base_is_refused_before_the_first_write(core: CoreLibrary) -> None:
    port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
    port.refuse["begin"] = OtaStatus.ERR_PATCH_BASE
    assert port.decode(_SMALL.raw) is OtaStatus.ERR_PATCH_BASE
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
    for more in (1, 64, 500):
        port = DeltaPort(core, _SMALL_BASE, _SMALL.header)
        assert port.decode(_SMALL.raw + bytes(more)) is OtaStatus.ERR_PATCH_TRAILING
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
    assert port.decode(_SMALL.raw[:-1]) is OtaStatus.ERR_PATCH_TRUNCATED


def test_base_that_changes_under_the_decoder_is_noticed(core: CoreLibrary) -> None:
    changed = bytearray(_SMALL_BASE)
    changed[0x600] ^= 1
    port = DeltaPort(core, bytes(changed), _SMALL.header)
    assert port.decode(_SMALL.raw) is OtaStatus.ERR_IDENTITY


@pytest.fixture(scope="module")
def last_checkpoint(core: CoreLibrary) -> Checkpoint:
    straight = DeltaPort(core, _BASE, _PATCH.header)
    assert straight.decode(_PATCH.raw) is OtaStatus.OK
    return straight.checkpoints[-1]


def _past(state: Any, member: str, value: int) -> None:
    *path, name = member.split(".")
    for step in path:
        state = getattr(state, step)
    setattr(state, name, value)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("layout", 0),
        ("status", -1),
        ("state", 1),
        ("state", 6),
        ("part", 3),
        ("last_operation", 4),
        ("out_len", 1),
        ("out_hashed", 1),
        ("source_len", 65),
        ("range.in_len", 129),
        ("range.in_pos", 129),
        ("written", len(_TARGET)),
        ("run_left", 0),
        ("run_left", len(_TARGET)),
        ("source", 0xFFFF_FFFF),
        ("header.base_len", 0),
        ("header.base_len", 0x0100_0001),
        ("header.target_len", 0x0100_0001),
        ("header.target_ext_start", len(_TARGET) + 1),
        ("header.target_reloc_start", len(_TARGET) - 555),
    ],
)
def test_checkpoint_with_a_field_out_of_bounds_is_refused(
    core: CoreLibrary, last_checkpoint: Checkpoint, member: str, value: int
) -> None:
    """The last checkpoint lies inside a copy from the base."""
    port = DeltaPort(core, _BASE, _PATCH.header)
    assert port.restore(last_checkpoint.state)[0] is OtaStatus.OK
    _past(port.state, member, value)
    assert port.restore(port.state_bytes())[0] is OtaStatus.ERR_STATE


def test_checkpoint_of_a_copy_from_what_is_not_written_is_refused(core: CoreLibrary) -> None:
    target = _CODE[:300] + bytes(70_000)
    patch = encode(b"", target)
    straight = DeltaPort(core, b"", patch.header)
    assert straight.decode(patch.raw) is OtaStatus.OK
    port = DeltaPort(core, b"", patch.header)
    assert port.restore(straight.checkpoints[0].state)[0] is OtaStatus.OK
    _past(port.state, "source", 32_768)
    assert port.restore(port.state_bytes())[0] is OtaStatus.ERR_STATE


def test_bytes_that_are_no_checkpoint_are_refused(core: CoreLibrary) -> None:
    port = DeltaPort(core, _BASE, _PATCH.header)
    size = core.ffi.sizeof("struct ota_delta")
    assert port.restore(bytes(size))[0] is OtaStatus.ERR_STATE
    assert port.restore(b"\xff" * size)[0] is OtaStatus.ERR_STATE
    fresh = DeltaPort(core, _BASE, _PATCH.header)
    assert port.restore(fresh.state_bytes())[0] is OtaStatus.ERR_STATE
    assert fresh.decode(_PATCH.raw) is OtaStatus.OK
    assert port.restore(fresh.state_bytes())[0] is OtaStatus.ERR_STATE


@settings(max_examples=80)
@given(st.integers(0, 1 << 32), st.integers(1, 255))
def test_damaged_checkpoint_never_leads_outside(
    core: CoreLibrary, last_checkpoint: Checkpoint, place: int, change: int
) -> None:
    """The record store's CRC finds damage; the decoder's own memory is safe without it (the sanitizers would object).

    What it asks of the port then is the port's to refuse, as this one does.
    """
    state = bytearray(last_checkpoint.state)
    state[place % (len(state) if place % 2 else 750)] ^= change
    resumed = DeltaPort(core, _BASE, _PATCH.header)
    resumed.written = list(_TARGET)
    status, patch_off = resumed.restore(bytes(state))
    if status is OtaStatus.OK:
        with contextlib.suppress(AssertionError):
            resumed.decode(_PATCH.raw[patch_off:])
    else:
        assert status is OtaStatus.ERR_STATE
