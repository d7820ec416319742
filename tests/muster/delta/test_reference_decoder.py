# SPDX-License-Identifier: Apache-2.0
"""The second decoder, which knows docs/spec/patch.md only, against the device's: targets and refusals."""

from __future__ import annotations

import ast
import hashlib
import random
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.delta import ImageLayout, Patch, PatchKind, PatchProfile, codec, encode
from muster.layout import SLOT_A_ADDR, TAIL_SIZE
from muster.status import OtaStatus
from tests.firmware.core.delta_port import DeltaPort
from tests.fuzz.programs import Program
from tests.fuzz.seeds import image_of as program_image
from tests.host.library import CoreLibrary, load_core
from tests.muster.delta.decoders import applied, outcome
from tests.muster.delta.pairs import image_of, module_of, program_pairs, raw_pairs
from tests.vectors import fixed

Pair = tuple[bytes, bytes]
Profiles = pytest.mark.parametrize("profile", PatchProfile, ids=lambda profile: profile.name)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> CoreLibrary:
    return load_core(tmp_path_factory.mktemp("core"))


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Base and target of any kind; the base may be missing."""
    form = draw(st.sampled_from(["image", "image", "module at 0", "module at 0x184", "raw", "odd raw", "text"]))
    if form == "text":
        base, target = draw(raw_pairs())
    elif form == "image":
        programs = draw(program_pairs())
        base, target = (program_image(program, version).raw for version, program in enumerate(programs, start=1))
    else:
        base, target = (program.link(SLOT_A_ADDR).code for program in draw(program_pairs()))
        if form == "odd raw":
            base, target = base[1:], target[:-1]
        elif form != "raw":
            base, target = (module_of(code, 0x184 if form.endswith("184") else 0) for code in (base, target))
    return (b"" if draw(st.integers(0, 5)) == 0 else base), target


@st.composite
def spoilt_patches(draw: st.DrawFn) -> tuple[bytes, Patch, bytes]:
    """(base, patch, the patch after some changes behind its header)"""
    base, target = draw(pairs())
    patch = encode(base, target, profile=draw(st.sampled_from(PatchProfile)), load_base=SLOT_A_ADDR)
    stream = bytearray(patch.raw[patch.header.size :])
    change = draw(st.sampled_from(["flip", "flip", "cut", "other end", "longer"]))
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    if change == "flip":
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(stream)) if stream else 0
            stream[at : at + 1] = rng.randbytes(1)
    elif change == "longer":
        stream += rng.randbytes(rng.randint(1, 9))
    else:
        stream = stream[: rng.randint(0, len(stream))]
        stream += rng.randbytes(rng.randint(0, 60) if change == "other end" else 0)
    return base, patch, patch.raw[: patch.header.size] + bytes(stream)


def test_the_second_decoder_uses_nothing_of_the_first() -> None:
    files = sorted(Path(__file__).parent.glob("reference_*.py"))
    assert Path(__file__).with_name("reference_decoder.py") in files
    imported = {name.split(".")[0] for file in files for name in _imports(file)}
    assert "muster" not in imported
    assert "cffi" not in imported
    ours = {name for file in files for name in _imports(file) if name.startswith("tests.")}
    assert {name for name in ours if not name.startswith("tests.muster.delta")} == {"tests.vectors.reading"}
    assert {name.rpartition(".")[2].partition("_")[0] for name in ours} <= {"reference", "delta", "reading"}


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield node.module


@settings(max_examples=40)
@given(pair=pairs(), profile=st.sampled_from(PatchProfile), pieces=st.lists(st.integers(0, 90), max_size=4))
def test_both_decoders_make_the_target(core: CoreLibrary, pair: Pair, profile: PatchProfile, pieces: list[int]) -> None:
    base, target = pair
    patch = encode(base, target, profile=profile, load_base=SLOT_A_ADDR)
    port = DeltaPort(core, base, patch.header)
    assert port.decode(patch.raw, pieces) is OtaStatus.OK
    assert port.target == target
    assert applied(base, patch.raw) == target
    assert outcome(base, patch.raw) == target


@settings(max_examples=100)
@given(spoilt=spoilt_patches())
def test_both_decoders_make_the_same_of_a_changed_patch(core: CoreLibrary, spoilt: tuple[bytes, Patch, bytes]) -> None:
    base, patch, raw = spoilt
    port = DeltaPort(core, base, patch.header)
    status = port.decode(raw)
    assert outcome(base, raw) == (port.target if status is OtaStatus.OK else status)


@Profiles
@pytest.mark.parametrize("form", ["image", "module", "raw"])
def test_both_decoders_make_a_program_with_many_changes(form: str, profile: PatchProfile) -> None:
    """More moved functions and changed constants than the map learns, and than there are recent places."""
    rng = random.Random(11)
    old = new = Program.made_up(rng, 120, 30)
    for number in (3, 20, 50, 51, 90, 110):
        new = new.grown(rng, number, rng.randint(1, 9)).moved(number + 5)
    new = new.constants_changed(rng, 4)
    if form == "image":
        base, target = program_image(old, 1).raw, program_image(new, 2).raw
    else:
        base, target = (program.link(SLOT_A_ADDR).code for program in (old, new))
        if form == "module":
            base, target = module_of(base, 0x184), module_of(target, 0x184)
    patch = encode(base, target, profile=profile, load_base=SLOT_A_ADDR)
    assert outcome(base, patch.raw) == target
    for _ in range(12):
        raw = bytearray(patch.raw)
        raw[rng.randrange(patch.header.size, len(raw))] ^= 1 << rng.randrange(8)
        assert outcome(base, bytes(raw)) == applied(base, bytes(raw))


@pytest.mark.parametrize(("at", "value"), [(2, 4), (2, 0xFFFF), (6, 0x80)], ids=str)
def test_base_with_a_broken_relocation_table_is_refused_by_both(core: CoreLibrary, at: int, value: int) -> None:
    """The manifest still says that it is the right base."""
    code = random.Random(12).randbytes(6000)
    base, target = (image_of(code, version, range(0x19C, 0x1500, 8)) for version in (1, 2))
    patch = encode(base.raw, target.raw)
    broken = bytearray(base.raw)
    struct.pack_into("<H", broken, base.manifest.reloc_start + at, value)
    port = DeltaPort(core, bytes(broken), patch.header, layout=ImageLayout.of(base.raw, PatchKind.IMAGE))
    assert port.decode(patch.raw) is OtaStatus.ERR_RELOC
    assert outcome(bytes(broken), patch.raw) is OtaStatus.ERR_RELOC


@pytest.mark.parametrize("keys", [b"\x08", b"\x07\x08"], ids=["ext_start", "reloc_start and ext_start"])
def test_manifest_number_of_another_length_is_refused_by_both(core: CoreLibrary, keys: bytes) -> None:
    """Only numbers that have as many bytes as the derived ones can be replaced; here the check is of a careless try."""
    base, target = fixed.small_image(), fixed.signed_image("release-1")
    careless = spoilt = target.manifest.to_bytes()
    for key in keys:
        at = spoilt.index(bytes([key, 0x19]))
        number = spoilt[at + 2 : at + 4]
        spoilt = spoilt[:at] + bytes([key, 0x1A, 0, 1, 0, 4 * key]) + spoilt[at + 4 :]
        careless = careless[:at] + bytes([key, 0x1A]) + number + bytes([0, 4 * key]) + careless[at + 4 :]
    image = bytearray(target.raw)
    entry = struct.pack("<HH", 0x8100, 4 + len(spoilt)) + spoilt
    image[-TAIL_SIZE : len(entry) - TAIL_SIZE] = entry
    header = replace(encode(base.raw, target.raw).header, target_check=hashlib.sha256(careless).digest()[:4])
    layout = ImageLayout.of(base.raw, PatchKind.IMAGE)
    patch = header.to_bytes() + codec.encode_stream(header.to_bytes(), base.raw, layout, bytes(image))
    assert DeltaPort(core, base.raw, header).decode(patch) is OtaStatus.ERR_IDENTITY
    assert outcome(base.raw, patch) is OtaStatus.ERR_IDENTITY


@pytest.mark.parametrize(("more", "status"), [(0, OtaStatus.ERR_PATCH_TRUNCATED), (4, OtaStatus.ERR_PATCH_HEADER)])
def test_both_decoders_know_the_highest_table(core: CoreLibrary, more: int, status: OtaStatus) -> None:
    reloc_start = 383 * 4096 + more
    header = encode(b"", fixed.small_image().raw).header
    header = replace(header, length_change=reloc_start + 1024 + TAIL_SIZE, reloc_change=reloc_start)
    port = DeltaPort(core, b"", header)
    assert port.decode(header.to_bytes()) is status
    assert port.begun == (status is OtaStatus.ERR_PATCH_TRUNCATED)
    assert outcome(b"", header.to_bytes()) is status


@pytest.mark.parametrize("is_rest_wrong", [False, True], ids=["rest is right", "target and profile are wrong too"])
@pytest.mark.parametrize("length", [3, 4, 0x187, 0x188])
def test_base_without_a_module_prefix_is_refused_by_both(core: CoreLibrary, length: int, is_rest_wrong: bool) -> None:
    base, at = bytes(length), 0x184 if length > 4 else 0
    whole = encode(b"", module_of(b"code", at), kind=PatchKind.MODULE_AT_184 if at else PatchKind.MODULE_AT_0).header
    change = -1 if is_rest_wrong else 600
    header = replace(
        whole,
        profile=3 if is_rest_wrong else whole.profile,
        base_check=hashlib.sha256(base).digest()[:3],
        load_base=None,
        length_change=change,
        reloc_change=change,
    )
    status = OtaStatus.ERR_PATCH_HEADER if is_rest_wrong else OtaStatus.ERR_PATCH_TRUNCATED
    status = OtaStatus.ERR_PATCH_BASE if length in (3, 0x187) else status
    port = DeltaPort(core, base, header)
    assert port.decode(header.to_bytes()) is status
    assert port.begun == (status is OtaStatus.ERR_PATCH_TRUNCATED)
    assert outcome(base, header.to_bytes()) is status


@pytest.mark.parametrize("missing", range(1, 9))
def test_both_decoders_see_the_same_end_of_a_cut_patch(missing: int) -> None:
    base, target = fixed.small_image().raw, fixed.large_image().raw
    for raw in (encode(base, target).raw, encode(b"", target).raw):
        assert outcome(base, raw[:-missing]) == applied(base, raw[:-missing])
