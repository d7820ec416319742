# SPDX-License-Identifier: Apache-2.0
"""Attacks on the way between the real firmware and the real server, each by its name."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from muster.delta import PatchHeader
from muster.device.bootlog import RecordType
from muster.device.hexfile import factory_record
from muster.gateway.port import OK, Exchange, ExchangeKind, Reply
from muster.image.image import Image
from muster.keystore import DEVELOPMENT, ONLINE, RELEASE, ROOT_THRESHOLD, ROOTS, KeyStore
from muster.signing.keys import PrivateKey, write_private_key
from muster.signing.keyset import KeySet, KeySetContent
from muster.signing.signer import KeySigner
from muster.signing.verify import Signers
from muster.status import OtaStatus
from ota_server.products.models import Product
from ota_server.releases import service as releases
from ota_server.rollouts import decide
from ota_server.storage.blobs import BlobStore
from tests.e2e.board import NEWER, NEWEST, SOUND, Victim, remade
from tests.e2e.served import Client, Fleet, Installation, ServedBoard, boards_of, installed, settings_of
from tests.ota_server.conftest import CBOR

UNAUTHORIZED = 401
REFUSED = (400, UNAUTHORIZED)
EVIL = PrivateKey(b"an online key that no root knows")
STRICT = {"percent": 100, "gate": {"min_confirmed": 1, "max_failures": 0}}


@pytest.fixture
def fleet(victim: Victim, key_store: KeyStore) -> Iterator[Fleet]:
    with boards_of(victim, key_store) as fleet:
        yield fleet


@pytest.fixture
def installation(tmp_path: Path, fleet: Fleet, key_store: KeyStore) -> Iterator[Installation]:
    with installed(settings_of(tmp_path / "server", key_store), fleet) as installation:
        yield installation


def post(client: Client, exchange: Exchange, body: bytes | None = None) -> tuple[int, bytes]:
    """An attacker's request."""
    content = exchange.body if body is None else body
    response = client.post(f"/device/v1/{exchange.kind}", content=content, headers=CBOR)
    return response.status_code, response.content


def of_kind(board: ServedBoard, kind: ExchangeKind) -> list[Exchange]:
    return [exchange for exchange in board.sent if exchange.kind is kind]


def assert_goes_on(installation: Installation, board: ServedBoard) -> None:
    """Its session holds: check-ins are answered, and no other one is opened."""
    openings, check_ins = board.count("open"), board.count("check-in")
    failures = board.port.counts.failures
    installation.wait(lambda: board.count("check-in") >= check_ins + 3)
    assert board.count("open") == openings
    assert board.port.counts.failures == failures


def update(installation: Installation, board: ServedBoard, version: int = NEWER) -> int:
    """Rolls a version out and waits until the board has told that it confirmed it."""
    rollout = installation.rollout(version)
    wait_until_confirmed(installation, board, version)
    return rollout


def wait_until_confirmed(installation: Installation, board: ServedBoard, version: int, timeout: float = 900.0) -> None:
    image = installation.image(version)
    installation.wait(
        lambda: board.confirmed == image.manifest.identity_prefix and board.log.facts.outcome is None, timeout
    )
    board.assert_confirmed(image)


# Replays


def test_replayed_opening_disturbs_no_session_of_the_device(installation: Installation) -> None:
    board = installation.board_in_session()
    board.device.power_off()
    installation.wait(lambda: board.count("open") == 2 and board.count("check-in") >= 4)
    client = installation.server.client
    older, newest = of_kind(board, ExchangeKind.OPEN)
    history = installation.seen(board)["history"]
    assert post(client, older) == (UNAUTHORIZED, b"")
    first, again = post(client, newest), post(client, newest)
    assert first == again
    assert first[0] == OK
    assert installation.seen(board)["history"] == history
    assert_goes_on(installation, board)


def test_replayed_check_in_is_refused_and_changes_nothing(installation: Installation) -> None:
    board = installation.board_in_session()
    update(installation, board)
    before = installation.seen(board)
    for exchange in of_kind(board, ExchangeKind.CHECK_IN):
        assert post(installation.server.client, exchange) == (UNAUTHORIZED, b"")
    assert installation.seen(board) == before
    assert_goes_on(installation, board)


def test_altered_check_in_is_refused_and_the_true_one_counts(installation: Installation) -> None:
    """Every byte of it, before the true one passes."""
    board = installation.board_in_session()
    statuses: set[int] = set()
    altered = 0

    def alter_first(exchange: Exchange) -> Reply:
        nonlocal altered
        for at in range(len(exchange.body)) if exchange.kind is ExchangeKind.CHECK_IN and not altered else ():
            body = bytearray(exchange.body)
            body[at] ^= 1 << at % 8
            statuses.add(post(installation.server.client, exchange, bytes(body))[0])
            altered += 1
        return board.post_to_server(exchange)

    board.post = alter_first
    installation.wait(lambda: altered > 0)
    assert statuses <= set(REFUSED)
    assert_goes_on(installation, board)


def test_altered_opening_is_refused_and_the_true_one_counts(installation: Installation) -> None:
    board = installation.board()
    seen: list[int] = []

    def alter_first(exchange: Exchange) -> Reply:
        if exchange.kind is ExchangeKind.OPEN:
            for at in range(len(exchange.body)):
                body = bytearray(exchange.body)
                body[at] ^= 1 << at % 8
                seen.append(post(installation.server.client, exchange, bytes(body))[0])
            installation.server.api("GET", f"/products/{installation.product_id}/devices/{board.id}", 404)
        return board.post_to_server(exchange)

    board.post = alter_first
    installation.wait(lambda: board.count("check-in") >= 2)
    assert set(seen) <= set(REFUSED)
    assert board.count("open") == 1
    assert_goes_on(installation, board)


# Answers


def test_answer_of_another_device_confirms_no_trial(installation: Installation) -> None:
    """The gateway gives each of two boards in their trials what the server says to the other one."""
    boards = [installation.board(seed) for seed in (1, 2)]
    installation.wait(lambda: all(board.count("check-in") >= 2 for board in boards))
    answers: dict[tuple[str, ExchangeKind], Reply] = {}
    given = 0

    def swap(board: ServedBoard, other: ServedBoard) -> None:
        def post_and_swap(exchange: Exchange) -> Reply:
            nonlocal given
            reply = board.post_to_server(exchange)
            if not board.is_on_trial or exchange.kind is ExchangeKind.OPEN:
                return reply
            answers[board.id, exchange.kind] = reply
            given += 1
            return answers.get((other.id, exchange.kind), Reply(OK))

        board.post = post_and_swap

    swap(boards[0], boards[1])
    swap(boards[1], boards[0])
    installation.rollout(NEWER)
    installation.wait(lambda: all(any("no contact" in line for line in board.lines) for board in boards))
    assert given >= 4
    assert all(RecordType.CONFIRMED not in [kind for kind, _ in board.history()] for board in boards)
    for board in boards:
        board.post = board.post_to_server
        wait_until_confirmed(installation, board, NEWER)


def test_answer_of_another_request_confirms_no_trial(installation: Installation) -> None:
    """Every answer that the board was ever given, of this session and of older ones, again and again in its trial."""
    board = installation.board_in_session()
    old: list[Reply] = []
    replayed = 0

    def replay_in_trials(exchange: Exchange) -> Reply:
        nonlocal replayed
        reply = board.post_to_server(exchange)
        if exchange.kind is ExchangeKind.OPEN:
            return reply
        old.append(reply)
        if not board.is_on_trial:
            return reply
        replayed += 1
        return old[replayed % (len(old) - 1)]

    board.post = replay_in_trials
    installation.rollout(NEWER)
    installation.wait(lambda: any("no contact" in line for line in board.lines))
    assert replayed >= 2
    assert RecordType.CONFIRMED not in [kind for kind, _ in board.history()]
    board.post = board.post_to_server
    wait_until_confirmed(installation, board, NEWER)


# The gateway


class Deck:
    """Faults in a random order, each as often as the others; a quarter of all draws is one."""

    def __init__(self, draw: random.Random, *faults: str) -> None:
        self._draw = draw
        self._faults = faults
        self._left: list[str] = []
        self.done: list[str] = []

    def choose(self) -> str:
        if self._draw.random() >= 0.25:
            return ""
        if not self._left:
            self._left = self._draw.sample(self._faults, len(self._faults))
        self.done.append(self._left.pop())
        return self.done[-1]


class BadGateway:
    """Drops, repeats, reorders and flips in both directions.

    What is flipped on the way up, and of openings and check-ins on the way down, goes into whole new frames. Pieces of
    patches are flipped on the line, where the frame's checksum is to notice.
    """

    def __init__(self, board: ServedBoard, seed: int) -> None:
        self._board = board
        self._draw = random.Random(seed)
        self._posted: list[Exchange] = []
        self._late: list[bytes] = []
        self.up = Deck(self._draw, "drop up", "repeat up", "old first", "flip up", "flip answer", "old instead")
        self.down = Deck(self._draw, "drop down", "repeat down", "flip down", "late", "log text")
        board.post, board.to_device = self._post, self._to_device

    def _flipped(self, raw: bytes) -> bytes:
        flipped = bytearray(raw)
        if flipped:
            flipped[self._draw.randrange(len(flipped))] ^= 1 << self._draw.randrange(8)
        return bytes(flipped)

    def _post(self, exchange: Exchange) -> Reply:
        ask = self._board.post_to_server
        fault = self.up.choose()
        self._posted.append(exchange)
        if fault == "drop up":
            return Reply(0)
        if fault == "repeat up":
            first = ask(exchange)
            return self._draw.choice((first, ask(exchange)))
        if fault in ("old first", "old instead"):
            old = ask(self._draw.choice(self._posted[:-1] or [exchange]))
            return ask(exchange) if fault == "old first" else old
        if fault == "flip up":
            return ask(replace(exchange, body=self._flipped(exchange.body)))
        reply = ask(exchange)
        return replace(reply, body=self._flipped(reply.body)) if fault == "flip answer" else reply

    def _to_device(self, frame: bytes) -> bytes:
        if not frame:
            return b""
        fault = self.down.choose()
        late = b"".join(self._late)
        self._late.clear()
        if fault == "late":
            self._late.append(frame)
            return late
        sent = {
            "drop down": b"",
            "repeat down": frame + frame,
            "flip down": self._flipped(frame),
            "log text": b"noise" + frame,
        }
        return sent.get(fault, frame) + late


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gateway_that_drops_repeats_reorders_and_flips_only_costs_time(
    tmp_path: Path, fleet: Fleet, key_store: KeyStore, seed: int
) -> None:
    """An update by a full image of many pieces, since the server does not know version 1, and one by a patch."""
    with installed(settings_of(tmp_path / "server", key_store), fleet, is_base_known=False) as installation:
        board = installation.board(seed)
        gateway = BadGateway(board, seed)
        rollouts = []
        for version in (NEWER, NEWEST):
            rollouts.append(installation.rollout(version))
            wait_until_confirmed(installation, board, version, timeout=36_000.0)
        installation.wait(lambda: min(len(gateway.up.done), len(gateway.down.done)) >= 12, 36_000.0)
        board.post, board.to_device = board.post_to_server, bytes
        check_ins = board.count("check-in")
        installation.wait(lambda: board.count("check-in") >= check_ins + 2, 5000.0)
        seen = installation.seen(board)
        assert (seen["firmware_version"], seen["boot_state"]) == (NEWEST, 0)
        for rollout in rollouts:
            counted = installation.counters(rollout)
            assert (counted["offered"], counted["confirmed"], counted.get("reverted", 0)) == (1, 1, 0)
        assert "alert" not in [line["kind"] for line in seen["history"]]


def with_profile(patch: bytes) -> bytes:
    return with_header(patch, profile=3)


def with_identity(patch: bytes) -> bytes:
    return with_header(patch, target_check=bytes(4))


def with_header(patch: bytes, **fields: Any) -> bytes:
    header = PatchHeader.from_bytes(patch)
    return replace(header, **fields).to_bytes() + patch[header.size :]


def with_flipped_bit(patch: bytes) -> bytes:
    return patch[:-1] + bytes([patch[-1] ^ 1])


@pytest.mark.parametrize(
    ("forge", "status"),
    [
        (with_profile, OtaStatus.ERR_PATCH_PROFILE),
        (with_identity, OtaStatus.ERR_IDENTITY),
        (with_flipped_bit, OtaStatus.ERR_PATCH_DIGEST),
    ],
)
def test_gateway_that_forges_a_patch_costs_one_download_and_blames_no_image(
    installation: Installation, forge: Callable[[bytes], bytes], status: OtaStatus
) -> None:
    board = installation.board_in_session()
    fetch = board.fetch
    first: list[bytes] = []

    def forge_first(digest: bytes) -> bytes | None:
        whole = fetch(digest)
        first.append(digest)
        return forge(whole) if whole and digest == first[0] else whole

    board.fetch = forge_first  # type: ignore[method-assign]
    rollout = installation.rollout(NEWER, STRICT)
    wait_until_confirmed(installation, board, NEWER)
    assert [(item["status"], item["is_full"]) for item in attempts(installation, board)] == [
        ("stopped", False),
        ("confirmed", True),
    ]
    assert attempts(installation, board)[0]["reason"] == status.text
    assert installation.counters(rollout) == {"offered": 1, "stopped": 1, "confirmed": 1}


# Who they are


def test_second_device_with_the_same_key_gets_nothing_and_the_first_goes_on(installation: Installation) -> None:
    key = PrivateKey(b"one key, two devices............")
    first, second = installation.board(1, key), installation.board(2, key)
    second.client = None
    installation.wait(lambda: first.count("check-in") >= 2)
    second.client = installation.server.client
    update(installation, first)
    installation.wait(lambda: second.count("check-in") >= 3)
    seen = installation.seen(second)
    assert seen["quarantined"]
    assert f"is also the key of device {first.id}" in seen["quarantine_reason"]
    assert seen["attempts"] == []
    assert second.confirmed == installation.image(SOUND).manifest.identity_prefix
    assert installation.seen(first)["status"] == "active"


def test_unknown_id_is_quarantined_gets_nothing_and_after_approval_all(
    tmp_path: Path, fleet: Fleet, key_store: KeyStore
) -> None:
    with installed(settings_of(tmp_path / "server", key_store), fleet, auto_approve=False) as installation:
        board = installation.board_in_session()
        installation.rollout(NEWER)
        assert_goes_on(installation, board)
        seen = installation.seen(board)
        assert seen["quarantined"]
        assert "A device not known before" in seen["quarantine_reason"]
        assert seen["attempts"] == []
        assert board.history() == [], "nothing of its reports was acknowledged"
        path = f"/products/{installation.product_id}/devices/{board.id}/approve"
        installation.server.api("POST", path, json={"fingerprint": seen["fingerprint"]})
        wait_until_confirmed(installation, board, NEWER)


def test_device_of_another_product_is_quarantined_and_gets_nothing(installation: Installation) -> None:
    """Its id and key were imported into one product, it says it is of another."""
    board = installation.board()
    other = {"id": 77, "name": "Other", "check_in_interval_s": 5}
    installation.server.api("POST", "/products", 201, json={"product": other})
    key = PrivateKey((1).to_bytes(32, "little")).public_key
    imported = {"id": board.id, "public_key": key.raw.hex()}
    installation.server.api("POST", "/products/77/devices", json=imported)
    installation.rollout(NEWER)
    installation.wait(lambda: board.count("check-in") >= 4)
    seen = installation.server.api("GET", f"/products/77/devices/{board.id}")
    assert seen["quarantined"]
    assert f"of product {installation.product_id}, not 77" in seen["quarantine_reason"]
    assert board.port.counts.patches == 0
    assert board.confirmed == installation.image(SOUND).manifest.identity_prefix


# Servers with wrong or old keys


def keyset_of(key_store: KeyStore, version: int, *online: PrivateKey, roots: tuple[str, ...] = ROOTS) -> KeySet:
    keys = tuple(sorted((key.public_key for key in online), key=lambda key: key.raw))
    content = replace(key_store.keyset().content, version=version, online_keys=keys)
    return KeySet.signed(content, [key_store.signer(name) for name in roots[:ROOT_THRESHOLD]])


def evil_key(folder: Path) -> Path:
    path = folder / "evil.pem"
    write_private_key(path, EVIL)
    return path


def assert_says_nothing(fleet: Fleet, board: ServedBoard) -> None:
    """It goes on opening, never reports, and stays what it was."""
    before = board.history()
    openings, check_ins = board.count("open"), board.count("check-in")
    fleet.wait(lambda: board.count("open") >= openings + 3)
    assert board.count("check-in") <= check_ins + 1, "one message in the session that this server does not know"
    assert board.history() == before
    assert board.confirmed == board.image.manifest.identity_prefix


@pytest.mark.parametrize("version", [1, 2], ids=["the device's version", "a newer one that too few roots signed"])
def test_server_with_a_wrong_online_key_gets_no_report(
    tmp_path: Path, fleet: Fleet, key_store: KeyStore, version: int
) -> None:
    keyset = keyset_of(key_store, version, EVIL)
    if version > 1:
        keyset = replace(keyset, signatures=keyset.signatures[:1])
    board = fleet.add(1, None)
    with installed(settings_of(tmp_path / "evil", key_store, keyset, evil_key(tmp_path)), fleet):
        assert_says_nothing(fleet, board)
        assert board.count("check-in") == 0
    with installed(settings_of(tmp_path / "server", key_store), fleet) as installation:
        update(installation, board)


def test_server_with_an_old_key_set_and_its_retired_online_key_gets_no_report(
    tmp_path: Path, fleet: Fleet, key_store: KeyStore
) -> None:
    """The online key was stolen; the roots have made key set 2 with another one, and the device has used it."""
    board = fleet.add(1, None)
    settings = settings_of(tmp_path / "server", key_store)
    newer = settings_of(tmp_path / "server", key_store, keyset_of(key_store, 2, EVIL), evil_key(tmp_path))
    settings = replace(newer, keysets=(*settings.keysets, *newer.keysets))
    with installed(settings, fleet) as installation:
        fleet.wait(lambda: board.count("check-in") >= 2)
        assert installation.seen(board)["keyset_version"] == 2
    with installed(settings_of(tmp_path / "thief", key_store), fleet) as thief:
        thief.rollout(NEWER)
        assert_says_nothing(fleet, board)


def test_old_key_set_on_the_server_offers_nothing_and_alerts(installation: Installation, key_store: KeyStore) -> None:
    board = installation.board()
    newer = keyset_of(key_store, 2, key_store.keys[ONLINE])
    board.write_log([key_store.keyset(), newer], [factory_record(board.image)])
    installation.wait(lambda: board.count("check-in") >= 2)
    installation.rollout(NEWER)
    assert_goes_on(installation, board)
    seen = installation.seen(board)
    assert "key set 2, newer than this server's 1" in seen["explanation"]
    assert seen["attempts"] == []
    assert [line["kind"] for line in seen["history"]].count("alert") == 1
    assert board.log.keyset is not None
    assert board.log.keyset.content.version == 2


def test_restored_old_database_drops_the_session_and_reuses_no_attempt(
    tmp_path: Path, fleet: Fleet, key_store: KeyStore
) -> None:
    settings = settings_of(tmp_path / "server", key_store)
    backup = tmp_path / "backup.sqlite3"
    board = fleet.add(1, None)
    with installed(settings, fleet) as installation:
        token = installation.server.token
        fleet.wait(lambda: board.count("check-in") >= 2)
    shutil.copy(settings.database_path, backup)
    with installed(settings, fleet, token) as installation:
        assert_goes_on(installation, board)  # a clean restart keeps the session
        update(installation, board)
        numbers = [item["attempt"] for item in installation.seen(board)["attempts"]]
    shutil.copy(backup, settings.database_path)
    openings = board.count("open")
    with installed(settings, fleet, token) as installation:
        update(installation, board, NEWEST)
        assert board.count("open") >= openings + 2, "for the lost session, and after its trial"
        assert min(item["attempt"] for item in installation.seen(board)["attempts"]) > max(numbers)


# A server wholly in the attacker's hands

BadImage = Callable[[Image, KeyStore], Image]
"""Makes one from a sound image."""


def take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has its online key, and none of its checks of uploads and offers any more."""

    def take(_product: Product, _keys: KeySetContent, upload: releases.Upload, blobs: BlobStore) -> object:
        image = Image.from_bytes(upload.image)
        return releases.CheckedUpload(upload, image, Signers((), (), ()), blobs.put(upload.image), None)

    monkeypatch.setattr(releases, "check_upload", take)
    monkeypatch.setattr(decide, "refusal", lambda _facts, _target: None)


def assert_refused_by_the_device(
    installation: Installation, board: ServedBoard, image: Image, status: OtaStatus
) -> None:
    """It fetches what is offered, gives it up for this reason, never tries it, and runs on."""
    running, before = board.confirmed, board.history()
    rollout = installation.rollout(image, STRICT)
    installation.wait_for_outcome(board, *[item["status"] for item in attempts(installation, board)], "stopped")
    assert {item["reason"] for item in attempts(installation, board) if item["status"] == "stopped"} == {status.text}
    assert board.history() == before
    assert board.confirmed == running
    assert board.device.violations == []
    shown = installation.show(rollout)
    assert shown["rollout"]["status"] == "paused"
    assert shown["troubles"] == [{"device": board.id, "kind": "stopped", "reason": status.text}]
    assert_goes_on(installation, board)


def attempts(installation: Installation, board: ServedBoard) -> list[Any]:
    """Oldest first."""
    return list(reversed(installation.seen(board)["attempts"]))


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda image, _keys: remade(image), OtaStatus.ERR_SIGNERS),
        (lambda image, _keys: remade(image, KeySigner(EVIL)), OtaStatus.ERR_SIGNERS),
        (lambda image, keys: remade(image, keys.signer(ONLINE)), OtaStatus.ERR_SIGNERS),
        (lambda image, keys: remade(image, keys.signer(DEVELOPMENT)), OtaStatus.ERR_SIGNERS),
        (lambda image, keys: remade(image, keys.signer(RELEASE), product_id=77), OtaStatus.ERR_PRODUCT),
        (lambda image, keys: remade(image, keys.signer(RELEASE), hardware_lowest=2), OtaStatus.ERR_HARDWARE),
    ],
    ids=["unsigned", "stranger", "online key", "development key only", "another product", "other hardware"],
)
def test_server_in_the_attackers_hands_installs_nothing(
    installation: Installation, key_store: KeyStore, monkeypatch: pytest.MonkeyPatch, make: BadImage, status: OtaStatus
) -> None:
    board = installation.board_in_session()
    take_over(monkeypatch)
    bad = make(installation.image(NEWER), key_store)
    assert_refused_by_the_device(installation, board, bad, status)
    installation.rollout(NEWEST)
    wait_until_confirmed(installation, board, NEWEST)


def test_server_in_the_attackers_hands_brings_no_lower_security_counter_back(
    installation: Installation, key_store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = installation.board_in_session()
    counted = remade(installation.image(NEWER), key_store.signer(RELEASE), security_counter=5)
    installation.rollout(counted)
    installation.wait(lambda: board.confirmed == counted.manifest.identity_prefix)
    installation.wait(lambda: installation.seen(board)["security_counter"] == 5)
    take_over(monkeypatch)
    older = remade(installation.image(NEWEST), key_store.signer(RELEASE), security_counter=4)
    assert_refused_by_the_device(installation, board, older, OtaStatus.ERR_SECURITY_COUNTER)
