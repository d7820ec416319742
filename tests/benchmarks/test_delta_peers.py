# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import struct
import sys
import zlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.benchmarks import delta_peers
from tests.benchmarks.delta_peers import PEERS, Peer, Setting, measure
from tests.benchmarks.delta_setup import SetupError, install_programs

BASE, TARGET = b"base " * 20, b"target " * 20


def zlib_setting() -> Setting:
    return Setting(lambda base, target, load_base: zlib.compress(target), lambda base, patch: zlib.decompress(patch))


def measured(monkeypatch: pytest.MonkeyPatch, setting: Setting) -> dict[str, object]:
    monkeypatch.setitem(PEERS, "peer", Peer((), {"setting": setting}))
    return measure("peer", "setting", BASE, TARGET, 0)


def test_patch_that_its_decoder_takes_back_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = measured(monkeypatch, zlib_setting())
    assert answer["bytes"] == len(zlib.compress(TARGET))
    assert answer["problem"] is None
    assert isinstance(answer["peak_kib"], int)
    assert answer["peak_kib"] > 1024


def test_patch_that_makes_something_else_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = measured(monkeypatch, Setting(zlib_setting().make, lambda base, patch: base))
    assert answer["bytes"] is None
    assert answer["problem"] == "its own decoder makes something else of it"


def test_peer_that_fails_is_told_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = measured(monkeypatch, Setting(zlib_setting().make, lambda base, patch: zlib.decompress(base)))
    assert answer["bytes"] is None
    assert str(answer["problem"]).startswith("error: Error -3")


def test_peer_that_kills_its_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(base: bytes, target: bytes, load_base: int) -> bytes:
        os._exit(3)

    answer = measured(monkeypatch, Setting(die, zlib_setting().take))
    assert answer["bytes"] is None
    assert answer["problem"] == "the process died"


class FakeCore(ModuleType):
    """Stands for bsdiff4.core: one copy, two extra bytes, a step back."""

    control = struct.pack("<qqq", 120, 300, -17)

    @staticmethod
    def diff(base: bytes, target: bytes) -> tuple[bytes, bytes, bytes]:
        return FakeCore.control, target[:-2], target[-2:]

    @staticmethod
    def patch(base: bytes, target_len: int, control: bytes, diff: bytes, extra: bytes) -> bytes:
        assert control == FakeCore.control
        assert target_len == len(diff + extra)
        return diff + extra

    @staticmethod
    def encode_int64(number: int) -> bytes:
        return struct.pack("<q", number)

    @staticmethod
    def decode_int64(raw: bytes) -> int:
        return int(struct.unpack("<q", raw)[0])


@pytest.mark.parametrize("setting", list(PEERS["bsdiff streams, xz"].settings))
def test_streams_survive_recoding(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setitem(sys.modules, "bsdiff4.core", FakeCore("bsdiff4.core"))
    streams = PEERS["bsdiff streams, xz"].settings[setting]
    patch = streams.make(BASE, TARGET, 0)
    assert len(patch) < len(TARGET)
    assert streams.take(BASE, patch) == TARGET


def test_peers_of_a_device_are_those_whose_decoder_is_small() -> None:
    on_device = {name for name, peer in PEERS.items() if peer.on_device}
    assert on_device == {
        "HPatchLite tinyuz 4K",
        "HPatchLite tinyuz 1K",
        "detools crle",
        "detools heatshrink",
    }


def test_program_of_the_machine_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name in ("xdelta3", "zstd"):
        (own / name).write_text("#!/bin/sh\n", encoding="ascii")
        (own / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(own))
    folder = install_programs(tmp_path / "programs")
    assert {path.name: path.resolve() for path in folder.iterdir()} == {
        name: own / name for name in ("xdelta3", "zstd")
    }


def test_missing_program_and_no_apt_is_one_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="xdelta3 is missing and apt-get does not deliver it: install the package"):
        install_programs(tmp_path / "programs")


def test_no_peer_is_imported_before_it_is_measured() -> None:
    packages = {package for peer in PEERS.values() for package in peer.packages}
    assert packages.isdisjoint(vars(delta_peers))
