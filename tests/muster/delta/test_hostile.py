# SPDX-License-Identifier: Apache-2.0
"""Patches that were valid and then were changed, given to both decoders: the device's and the one in plain Python.

Neither may write outside the target, read outside base and target, or go on without progress; both end with an error,
or with a target that a patch was honestly made for. docs/spec/patch.md.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, SupportsIndex, overload

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.delta import Patch, PatchHeader, PatchKind, PatchProfile, encode
from muster.delta.header import TARGET_CHECK_SIZE
from muster.errors import MusterError
from muster.layout import TAIL_SIZE
from muster.status import OtaStatus
from tests.firmware.core.delta_port import DeltaPort
from tests.fuzz.programs import Program
from tests.fuzz.seeds import Sample, bases, image_of, samples, wrong_samples
from tests.host.library import CoreLibrary, load_core
from tests.muster.delta.decoders import outcome

_TARGET_MAX = 8192
"""Longest target that a device would agree to here."""

_RNG = random.Random(40)
_PROGRAM = Program.made_up(_RNG, 20, 20)
_OLD = image_of(_PROGRAM, 1).raw
_NEW = image_of(_PROGRAM.grown(_RNG, 4, 6).constants_changed(_RNG, 2), 2).raw
_PAIRS = [(bases()[sample.base_number].raw, sample) for sample in samples()]
_PAIRS += [(_OLD, Sample(-1, encode(_OLD, _NEW, profile=profile).raw, _NEW)) for profile in PatchProfile]


def _named(target: bytes, kind: PatchKind) -> bytes:
    """What a target's name says: of an image neither signatures nor anything else behind the manifest."""
    if kind is not PatchKind.IMAGE:
        return target
    entry_size = int.from_bytes(target[2 - TAIL_SIZE : 4 - TAIL_SIZE], "little")
    return target[: len(target) - TAIL_SIZE + entry_size]


_TARGETS = {_named(sample.target, Patch(sample.patch).header.kind) for _, sample in _PAIRS}


class GuardedBytes(bytes):
    """Bytes that fail the test where Python would quietly read something else: behind an end, or before the first."""

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> bytes: ...
    def __getitem__(self, index: Any, /) -> Any:
        if isinstance(index, slice):
            edges = [edge for edge in (index.start, index.stop) if edge is not None]
            assert all(0 <= edge <= len(self) for edge in edges), f"read of [{index.start}:{index.stop}]"
        else:
            assert 0 <= index < len(self), f"read at {index}"
        return super().__getitem__(index)


@contextmanager
def bounded_calls(limit: int) -> Iterator[None]:
    """Fails when more Python functions than this are called inside."""
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"
        assert calls <= limit, "the decoder goes on without progress"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> CoreLibrary:
    return load_core(tmp_path_factory.mktemp("core"))


@st.composite
def _cuts(draw: st.DrawFn, raw: bytes) -> bytes:
    """A part is taken out, put in, doubled or replaced."""
    begin = draw(st.integers(0, len(raw)))
    end = min(len(raw), begin + draw(st.integers(0, 40)))
    part = raw[begin:end]
    new = draw(st.sampled_from([b"", part + part, bytes(len(part)), b"\xff" * len(part)]) | st.binary(max_size=40))
    return raw[:begin] + new + raw[end:]


@st.composite
def _flips(draw: st.DrawFn, raw: bytes) -> bytes:
    """A few bytes are changed."""
    changed = bytearray(raw)
    for _ in range(draw(st.integers(1, 4))):
        changed[draw(st.integers(0, len(raw) - 1))] ^= draw(st.integers(1, 255))
    return bytes(changed)


@st.composite
def _splices(draw: st.DrawFn, raw: bytes) -> bytes:
    """The beginning of one patch and the end of another."""
    other = draw(st.sampled_from(_PAIRS))[1].patch
    return raw[: draw(st.integers(0, len(raw)))] + other[draw(st.integers(0, len(other))) :]


@st.composite
def hostile_patches(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """(base, patch)"""
    base, sample = draw(st.sampled_from(_PAIRS))
    raw = sample.patch
    for change in draw(st.lists(st.sampled_from([_flips, _flips, _cuts, _splices]), min_size=1, max_size=3)):
        # three of four behind the header: most changes of it are noticed at once
        size = Patch(sample.patch).header.size
        kept = draw(st.sampled_from([0, size, size, size]))
        if raw[kept:]:
            raw = raw[:kept] + draw(change(raw[kept:]))
    return base, raw


def _announced(base: bytes, raw: bytes) -> PatchHeader | None:
    """The header, if it is one that a device goes on from."""
    try:
        header = PatchHeader.from_bytes(raw)
        header.check_base(base)
        return header if header.target_length(len(base)) <= _TARGET_MAX else None
    except MusterError:
        return None


def _limit(base: bytes, raw: bytes, header: PatchHeader) -> int:
    """Calls of Python functions that a decoder of this patch may need."""
    return 20_000 + 200 * (len(base) + len(raw) + header.target_length(len(base)))


def _is_in_order(port: DeltaPort) -> bool:
    """Whether everything was written without holes in the order of docs/spec/patch.md section 3."""
    orders = [port.order_of(off) for off, _ in port.pieces]
    ends = [port.order_of(off + length - 1) + 1 for off, length in port.pieces]
    return orders == [0, *ends][: len(orders)]


@settings(max_examples=300)
@given(hostile=hostile_patches(), pieces=st.lists(st.integers(0, 90), max_size=8))
def test_both_decoders_survive_a_changed_patch(
    core: CoreLibrary, hostile: tuple[bytes, bytes], pieces: list[int]
) -> None:
    """The port fails the test on any access outside."""
    base, raw = hostile
    header = _announced(base, raw)
    port = DeltaPort(core, base, header or Patch(_PAIRS[0][1].patch).header)
    if header is None:
        port.refuse["begin"] = OtaStatus.ERR_PATCH_SIZE
    status = port.decode(raw, pieces)
    assert port.is_done() == (status is OtaStatus.OK)
    if header is None:
        assert not port.pieces
        return

    assert not port.is_done() or _named(port.target, header.kind) in _TARGETS
    assert _is_in_order(port)
    with bounded_calls(_limit(base, raw, header)):
        found = outcome(GuardedBytes(base), GuardedBytes(raw))
    assert found == (port.target if port.is_done() else status)
    assert port.finish() is status
    assert port.push(b"more") is not OtaStatus.OK


@pytest.mark.parametrize("number", range(len(_PAIRS)), ids=str)
def test_what_is_changed_are_patches_that_hold(core: CoreLibrary, number: int) -> None:
    base, sample = _PAIRS[number]
    header = _announced(base, sample.patch)
    assert header is not None
    port = DeltaPort(core, base, header)
    assert port.decode(sample.patch) is OtaStatus.OK
    assert port.target == sample.target
    assert _is_in_order(port)
    with bounded_calls(_limit(base, sample.patch, header)):
        assert outcome(GuardedBytes(base), GuardedBytes(sample.patch)) == sample.target


@pytest.mark.parametrize("number", range(len(wrong_samples())), ids=str)
def test_manifest_of_another_layout_is_refused_under_any_name(core: CoreLibrary, number: int) -> None:
    """Lengths and offsets in the manifest are derived: where they do not fit in, the target has no name."""
    raw = wrong_samples()[number].patch
    for _ in range(2):
        port = DeltaPort(core, b"", Patch(raw).header)
        assert port.decode(raw) is OtaStatus.ERR_IDENTITY
        state: Any = port.state
        # what was made, if anything was, now is what the header names
        raw = raw[:1] + bytes(state.identity)[:TARGET_CHECK_SIZE] + raw[1 + TARGET_CHECK_SIZE :]


def test_the_guards_see_what_they_are_for() -> None:
    guarded = GuardedBytes(b"abc")
    assert guarded[2] == ord("c")
    assert guarded[1:3] == b"bc"
    for outside in (-1, 3, slice(0, 4), slice(-2, None)):
        with pytest.raises(AssertionError):
            guarded[outside]
    with pytest.raises(AssertionError), bounded_calls(100):
        outcome(b"", _PAIRS[4][1].patch)
