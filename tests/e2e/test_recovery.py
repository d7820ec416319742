# SPDX-License-Identifier: Apache-2.0
"""Where the confirmed image is damaged: the other slot, or serial recovery with lrzsz's `sb`."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from muster.delta import encode
from muster.device.bootlog import Reason, RecordType
from muster.emulator import CutMode, Snapshot
from muster.emulator.serial_bridge import PtyEndpoint, serve
from muster.image.image import Image, seal
from muster.keystore import DEVELOPMENT, ONLINE, RELEASE, ROOT_THRESHOLD, ROOTS, KeyStore
from muster.layout import Slot
from muster.serial import BootState
from muster.signing.cose import CoseSign1
from muster.signing.keys import PrivateKey
from muster.signing.keyset import KeySet, KeySetContent
from muster.signing.signer import KeySigner
from muster.status import OtaStatus
from tests.e2e.board import NEWER, NEWEST, RECOVERY_LINE, SOUND, Board, Victim, remade

SEND_TIMEOUT_S = 120.0
NEW_RELEASE = KeySigner(PrivateKey(b"the release key of a newer set.."))


@pytest.fixture(scope="module")
def booted(victim: Victim) -> Iterator[tuple[Board, Snapshot]]:
    """Version 1 in slot A, version 5 confirmed in slot B."""
    with Board(victim.hex_path(SOUND)) as board:
        board.boot()
        board.install(victim.image(NEWER), encode(victim.image(SOUND).raw, victim.image(NEWER).raw))
        yield board, board.snapshot()


@pytest.fixture
def board(booted: tuple[Board, Snapshot]) -> Board:
    """Runs version 5 from slot B; version 1 is still in slot A."""
    board, snapshot = booted
    board.restore(snapshot)
    return board


# The other slot


@pytest.mark.parametrize("confirmed", [Slot.A, Slot.B])
def test_damaged_confirmed_slot_falls_back_to_the_other(board: Board, victim: Victim, confirmed: Slot) -> None:
    expected = victim.image(SOUND)
    if confirmed is Slot.A:
        board.install(victim.image(NEWEST), encode(victim.image(NEWER).raw, victim.image(NEWEST).raw))
        expected = victim.image(NEWER)
    board.destroy(confirmed)
    info = board.power_cycle()
    assert board.history()[-1] == (RecordType.CONFIRMED, Reason.FALLBACK)
    assert info.outcome is not None
    assert info.outcome.reason == Reason.FALLBACK
    assert board.assert_runs(expected).slot == confirmed.other
    assert [reason for _, reason in board.history()].count(Reason.FALLBACK) == 1


def test_update_after_a_fallback_replaces_the_damaged_image(board: Board, victim: Victim) -> None:
    board.destroy(Slot.B)
    board.power_cycle()
    patch = encode(victim.image(SOUND).raw, victim.image(NEWER).raw)
    assert board.install(victim.image(NEWER), patch).slot == Slot.B
    assert board.installed(Slot.B).raw == victim.image(NEWER).raw


def test_fallback_does_not_go_below_the_security_counter(board: Board, victim: Victim, key_store: KeyStore) -> None:
    base = victim.image(NEWER)
    raised = remade(victim.image(NEWEST), key_store.signer(DEVELOPMENT), security_counter=3)
    assert board.install(raised, encode(base.raw, raised.raw)).security_counter == 3
    # Version 5, with security counter 0, is whole in slot B.
    assert board.installed(Slot.B).raw == base.raw
    board.destroy(Slot.A)
    board.boot_into_recovery()
    assert board.history()[-1] == (RecordType.CONFIRMED, Reason.NONE)


def test_fallback_keeps_the_security_counter(board: Board, victim: Victim, key_store: KeyStore) -> None:
    signer = key_store.signer(DEVELOPMENT)
    first = remade(victim.image(NEWEST), signer, security_counter=3)
    second = remade(victim.image(NEWER), signer, security_counter=3)
    board.install(first, encode(victim.image(NEWER).raw, first.raw))
    board.install(second, encode(first.raw, second.raw))
    board.destroy(Slot.B)
    assert board.power_cycle().security_counter == 3
    assert board.history()[-1] == (RecordType.CONFIRMED, Reason.FALLBACK)
    assert board.assert_runs(first).security_counter == 3


def test_log_without_records_prefers_the_higher_security_counter(
    board: Board, victim: Victim, key_store: KeyStore
) -> None:
    """Over the higher version, which is in slot B."""
    older = remade(victim.image(SOUND), key_store.signer(DEVELOPMENT), security_counter=4)
    board.device.write_memory(Slot.A.addr, older.installed_in(Slot.A))
    board.write_log([key_store.keyset()], [])
    board.power_cycle()
    info = board.assert_runs(older)
    assert (info.slot, info.security_counter) == (Slot.A, 4)


def test_recovery_does_not_go_below_the_security_counter(
    board: Board, victim: Victim, key_store: KeyStore, tmp_path: Path
) -> None:
    base, signer = victim.image(NEWER), key_store.signer(DEVELOPMENT)
    raised = remade(victim.image(NEWEST), signer, security_counter=3)
    board.install(raised, encode(base.raw, raised.raw))
    board.destroy(Slot.A)
    board.boot_into_recovery()
    refuse(board, tmp_path, base.raw, OtaStatus.ERR_SECURITY_COUNTER)
    accept(board, tmp_path, raised.raw)
    assert board.assert_runs(raised).security_counter == 3


def test_log_without_records_confirms_the_newest_whole_image(board: Board, victim: Victim, key_store: KeyStore) -> None:
    board.write_log([key_store.keyset()], [])
    info = board.power_cycle()
    assert info.slot == Slot.B
    assert [(record.type, record.reason) for record in board.log.records] == [(RecordType.CONFIRMED, Reason.RECOVERED)]
    board.assert_runs(victim.image(NEWER))


# Serial recovery


class PatientPty(PtyEndpoint):
    """A pty whose device waits while the program at the other end has the word, however slow this computer is.

    Attributes:
        said: all that the device has sent.
        sender: the program.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.sender: subprocess.Popen[bytes] | None = None
        self._patience = 0

    @property
    def is_sending(self) -> bool:
        return self.sender is not None and self.sender.poll() is None

    def write(self, data: bytes) -> None:
        if data:
            self.said += data
            self._patience = 40
        super().write(data)

    def read(self) -> bytes:
        if self._patience > 0 and self.is_sending and not select.select(self.filenos(), [], [], 0.05)[0]:
            self._patience -= 1
        data = super().read()
        if data:
            self._patience = 0
        return data


def send(board: Board, folder: Path, contents: Sequence[bytes], until: str) -> int:
    """Sends files to a bootloader in recovery with `sb`, until that has ended and the device has said a text.

    Returns the exit code of `sb`.
    """
    paths = [folder / f"file{number}.bin" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    deadline = board.device.time + SEND_TIMEOUT_S
    endpoint = PatientPty()

    def is_over() -> bool:
        return (not endpoint.is_sending and until.encode() in endpoint.said) or board.device.time > deadline

    line = os.open(endpoint.path, os.O_RDWR | os.O_NOCTTY)
    try:
        with subprocess.Popen(["sb", "-q", *map(str, paths)], stdin=line, stdout=line) as sender:
            endpoint.sender = sender
            try:
                serve(board.device, {1: endpoint}, speed=0, stop=is_over)
            finally:
                sender.kill()
    finally:
        os.close(line)
        endpoint.close()
    assert until.encode() in endpoint.said
    return sender.returncode


def accept(board: Board, folder: Path, *contents: bytes) -> None:
    """Files that the bootloader must take, an image last; it boots it then."""
    assert send(board, folder, contents, "image accepted\r\nmuster boot 1: slot A confirmed\r\n") == 0


def refuse(board: Board, folder: Path, content: bytes, status: OtaStatus) -> None:
    """A file that the bootloader must refuse; it asks for another one then."""
    assert send(board, folder, [content], f"refused, status {int(status)}\r\nmuster boot 1: {RECOVERY_LINE}") != 0


@pytest.fixture(scope="module")
def recovery(booted: tuple[Board, Snapshot]) -> tuple[Board, Snapshot]:
    board, snapshot = booted
    board.restore(snapshot)
    board.destroy(Slot.A)
    board.destroy(Slot.B)
    board.boot_into_recovery()
    return board, board.snapshot()


@pytest.fixture
def lost(recovery: tuple[Board, Snapshot]) -> Board:
    """Both slots are damaged, and the bootloader asks for an image."""
    board, snapshot = recovery
    board.restore(snapshot)
    return board


def test_image_that_sb_sends_is_confirmed_and_boots(lost: Board, victim: Victim, tmp_path: Path) -> None:
    image = victim.image(NEWEST)
    accept(lost, tmp_path, image.raw)
    assert lost.history()[-1] == (RecordType.CONFIRMED, Reason.RECOVERED)
    info = lost.link.info()
    assert (info.slot, info.boot_state) == (Slot.A, BootState.CONFIRMED)
    assert info.outcome is not None
    assert info.outcome.reason == Reason.RECOVERED
    assert lost.installed(Slot.A).raw == image.raw
    lost.assert_runs(image)
    # Updates go on as if nothing had been.
    lost.install(victim.image(SOUND), encode(image.raw, victim.image(SOUND).raw))


def broken_signature(image: Image, keys: KeyStore) -> Image:
    signature = CoseSign1(keys.signer(DEVELOPMENT).key_id, bytes(64))
    return seal(image.body, image.manifest, [signature])


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (broken_signature, OtaStatus.ERR_SIGNATURE),
        (lambda image, keys: remade(image, NEW_RELEASE), OtaStatus.ERR_SIGNERS),
        (lambda image, keys: remade(image, keys.signer(DEVELOPMENT), product_id=1067), OtaStatus.ERR_PRODUCT),
    ],
    ids=["broken signature", "unknown key", "another product"],
)
def test_recovery_goes_on_after_a_wrong_image(
    lost: Board,
    victim: Victim,
    key_store: KeyStore,
    tmp_path: Path,
    make: Callable[[Image, KeyStore], Image],
    status: OtaStatus,
) -> None:
    image = victim.image(NEWEST)
    refuse(lost, tmp_path, make(image, key_store).raw, status)
    accept(lost, tmp_path, image.raw)
    lost.assert_runs(image)


@pytest.mark.parametrize("operation", [1, 3, 4000])
def test_power_cut_in_recovery_begins_it_again(lost: Board, victim: Victim, tmp_path: Path, operation: int) -> None:
    """In the erase of the slot's first and last sector, and in the midst of the image."""
    image = victim.image(NEWEST)
    lost.device.cut_power_at_flash_operation(operation, CutMode.TORN)
    send(lost, tmp_path, [image.raw], until="")
    assert lost.device.counters.cuts == 1
    lost.boot_into_recovery()
    accept(lost, tmp_path, image.raw)
    lost.assert_runs(image)


def test_file_that_is_too_long_is_refused(lost: Board, victim: Victim, tmp_path: Path) -> None:
    refuse(lost, tmp_path, victim.image(NEWEST).raw.ljust(0x60004, b"\xff"), OtaStatus.ERR_IMAGE_LENGTH)


def newer_keys(keys: KeyStore, version: int = 2) -> KeySetContent:
    """A set with one new release key and no development key."""
    return KeySetContent(
        version=version,
        release_threshold=1,
        release_keys=(NEW_RELEASE.public_key,),
        online_keys=(keys.signer(ONLINE).public_key,),
        development_keys=(),
        roots=keys.roots,
    )


def by_roots(keys: KeyStore, content: KeySetContent, count: int = ROOT_THRESHOLD) -> KeySet:
    return KeySet.signed(content, [keys.signer(name) for name in ROOTS[:count]])


def test_newer_key_set_lets_its_release_key_recover(
    lost: Board, victim: Victim, key_store: KeyStore, tmp_path: Path
) -> None:
    image = remade(victim.image(NEWEST), NEW_RELEASE)
    keyset = by_roots(key_store, newer_keys(key_store))
    accept(lost, tmp_path, keyset.to_bytes(), image.raw)
    assert lost.link.info().keyset_version == 2
    assert lost.history()[-1] == (RecordType.CONFIRMED, Reason.RECOVERED)
    lost.assert_runs(image)


def test_newer_key_set_takes_the_old_keys_away(
    lost: Board, victim: Victim, key_store: KeyStore, tmp_path: Path
) -> None:
    image = victim.image(NEWEST)
    keyset = by_roots(key_store, newer_keys(key_store))
    assert send(lost, tmp_path, [keyset.to_bytes()], RECOVERY_LINE) == 0
    lost.boot_into_recovery()
    refuse(lost, tmp_path, image.raw, OtaStatus.ERR_SIGNERS)
    refuse(lost, tmp_path, remade(image, key_store.signer(RELEASE)).raw, OtaStatus.ERR_SIGNERS)
    accept(lost, tmp_path, remade(image, NEW_RELEASE).raw)


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda keys: by_roots(keys, newer_keys(keys), count=1), OtaStatus.ERR_SIGNERS),
        (lambda keys: by_roots(keys, newer_keys(keys, version=1)), OtaStatus.ERR_KEYSET_OLD),
        (
            lambda keys: replace(by_roots(keys, newer_keys(keys)), content=replace(newer_keys(keys), online_keys=())),
            OtaStatus.ERR_SIGNATURE,
        ),
    ],
    ids=["one root", "not newer", "changed after signing"],
)
def test_wrong_key_set_is_refused(
    lost: Board,
    victim: Victim,
    key_store: KeyStore,
    tmp_path: Path,
    make: Callable[[KeyStore], KeySet],
    status: OtaStatus,
) -> None:
    refuse(lost, tmp_path, make(key_store).to_bytes(), status)
    assert lost.log.keyset == key_store.keyset()
    image = victim.image(NEWEST)
    accept(lost, tmp_path, image.raw)
    lost.assert_runs(image)


def test_blank_device_takes_the_roots_of_its_identity_page(
    lost: Board, victim: Victim, key_store: KeyStore, tmp_path: Path
) -> None:
    """No log and so no key set: only a set that the identity page's roots signed opens the way."""
    lost.erase_log()
    lost.boot_into_recovery()
    image = victim.image(NEWEST)
    refuse(lost, tmp_path, image.raw, OtaStatus.ERR_SIGNERS)
    accept(lost, tmp_path, key_store.keyset().to_bytes(), image.raw)
    assert [(record.type, record.reason) for record in lost.log.records] == [(RecordType.CONFIRMED, Reason.RECOVERED)]
    lost.assert_runs(image)
