# SPDX-License-Identifier: Apache-2.0
"""The real server and emulated boards, the gateway's port between them: one thread, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from starlette.testclient import TestClient

from muster.device.bootlog import AttemptState, RecordType
from muster.device.identity_page import IdentityPage
from muster.gateway.port import NOT_REACHED, OK, Exchange, GatewayPort, Reply
from muster.image.image import Image
from muster.keystore import RELEASE, KeyStore, key_path
from muster.layout import IDENTITY_ADDR, IDENTITY_PAGE_SIZE, Lifecycle, Slot
from muster.signing.keys import PrivateKey
from muster.signing.keyset import KeySet
from muster.signing.signer import sign_image
from ota_server.settings import Settings
from tests.e2e.board import SOUND, Board, Victim
from tests.ota_server.conftest import CBOR, EMAIL, PASSWORD, HandClock, Server, run_server

CHECK_IN_INTERVAL_S = 2
SLICE_S = 0.25
"""Virtual time that one board runs before the next one does."""
TIMEOUT_S = 900.0
TRUSTING: dict[str, Any] = {"percent": 100, "gate": {"min_confirmed": 1000, "max_failures": 1000}}
"""A stage that neither ends nor pauses."""

Client = httpx.Client | TestClient
Post = Callable[[Exchange], Reply]
ToDevice = Callable[[bytes], bytes]


class ServedBoard(Board):
    """A production board with an identity of its own, a gateway on its line.

    Attributes:
        image: release-signed, what it runs at first.
        client: leads to the server; None when that is not reached.
        sent: every message of the device for the server, as it came.
        lines: of log text that it has written.
        post: what the gateway does with a message; `post_to_server` unless an attacker has it.
        to_device: what becomes of each answer's bytes.
    """

    def __init__(self, hex_path: Path, image: Image, seed: int, key: PrivateKey) -> None:
        super().__init__(hex_path, seed)
        self.image = image
        self.client: Client | None = None
        self.sent: list[Exchange] = []
        self.lines: list[str] = []
        self.post: Post = self.post_to_server
        self.to_device: ToDevice = bytes
        self.port = GatewayPort(lambda line: self.lines.append(line))
        self._fetched: dict[bytes, bytes] = {}
        self._provision(key)
        self.device.uart(1).attach(self)

    @property
    def id(self) -> str:
        return self.device.unique_id.hex()

    @property
    def is_on_trial(self) -> bool:
        return self.log.records[-1].type is RecordType.TRIAL

    @property
    def confirmed(self) -> bytes:
        """First 16 bytes of the identity of what it would start."""
        confirmed = self.log.facts.confirmed
        assert confirmed is not None
        return confirmed.identity

    def count(self, kind: str) -> int:
        """How many messages of a kind (`open` or `check-in`) it has sent."""
        return sum(exchange.kind == kind for exchange in self.sent)

    def receive(self, data: bytes, _time: float) -> bytes:
        """The far end of its line."""
        answer = b""
        for request in self.port.receive(data):
            if isinstance(request, Exchange):
                self.sent.append(request)
                answer += self.to_device(self.port.reply(request, self.post(request)))
            else:
                whole = self.fetch(request.digest)
                piece = None if whole is None else whole[request.offset : request.offset + request.length]
                answer += self.to_device(self.port.piece(request, piece))
        return answer

    def post_to_server(self, exchange: Exchange) -> Reply:
        """What the server answers."""
        if self.client is None:
            return Reply(NOT_REACHED)
        try:
            response = self.client.post(f"/device/v1/{exchange.kind}", content=exchange.body, headers=CBOR)
        except httpx.TransportError:
            return Reply(NOT_REACHED)
        return Reply(response.status_code, response.content)

    def fetch(self, digest: bytes) -> bytes | None:
        """A patch or key set; empty when the server has none, None when it is not reached."""
        if digest not in self._fetched:
            if self.client is None:
                return None
            try:
                response = self.client.get(f"/device/v1/patches/{digest.hex()}")
            except httpx.TransportError:
                return None
            if response.status_code != OK:
                return b""
            self._fetched[digest] = response.content
        return self._fetched[digest]

    def assert_confirmed(self, image: Image) -> None:
        """It runs the image, byte for byte, has told so, and nothing broke a rule of the silicon."""
        facts = self.log.facts
        assert facts.confirmed is not None
        assert facts.confirmed.identity == image.manifest.identity_prefix
        assert facts.state is AttemptState.IDLE
        assert facts.outcome is None
        assert self.installed(facts.confirmed.slot).raw == image.raw
        assert self.device.violations == []

    def _provision(self, key: PrivateKey) -> None:
        page = IdentityPage.from_bytes(self.device.flash_bytes(IDENTITY_ADDR, IDENTITY_PAGE_SIZE))
        own = IdentityPage(
            product_id=page.product_id,
            hardware_revision=page.hardware_revision,
            lifecycle=Lifecycle.PRODUCTION,
            roots=page.roots,
            device_id=self.device.unique_id,
            device_key=key,
        )
        self.device.write_memory(IDENTITY_ADDR, own.to_bytes())
        self.device.write_memory(Slot.A.addr, self.image.installed_in(Slot.A))


class Fleet:
    """Boards of the victim, which run version 1 and reach one server. A context manager, by `boards_of`."""

    def __init__(self, victim: Victim, key_store: KeyStore) -> None:
        self.victim = victim
        self.key_store = key_store
        self.boards: list[ServedBoard] = []
        self.clock = HandClock()
        self.image = cache(self._image)

    def add(self, seed: int, client: Client | None, key: PrivateKey | None = None) -> ServedBoard:
        """A board that is off; its seed decides its id and, unless given, its key."""
        key = key or PrivateKey(seed.to_bytes(32, "little"))
        board = ServedBoard(self.victim.hex_path(SOUND), self.image(SOUND), seed, key)
        board.client = client
        self.boards.append(board)
        return board

    def move_to(self, client: Client | None) -> None:
        """Lets all gateways talk to another server, or to none."""
        for board in self.boards:
            board.client = client

    def run(self, seconds: float) -> None:
        """Gives power to who has none, and lets time pass."""
        for _ in range(round(seconds / SLICE_S)):
            for board in self.boards:
                if not board.device.powered:
                    board.device.power_on()
                board.device.run(SLICE_S)
            self.clock.advance_s(SLICE_S)

    def wait(self, condition: Callable[[], bool], timeout: float = TIMEOUT_S, poll: float = SLICE_S) -> None:
        """Lets time pass until the condition, which is asked every `poll` seconds, holds; it must."""
        for _ in range(round(timeout / poll)):
            if condition():
                return
            self.run(poll)
        raise AssertionError([(board.id, board.history(), board.lines[-10:]) for board in self.boards])

    def _image(self, version: int) -> Image:
        return sign_image(self.victim.image(version), self.key_store.signer(RELEASE))


class Installation:
    """The real server in this process, with the victim as its product, and a fleet."""

    def __init__(self, server: Server, fleet: Fleet, is_base_known: bool, **product: Any) -> None:
        """Adopts a running server; makes the product and publishes version 1 where that was not done before.

        With `is_base_known` False version 1 is not published.
        """
        self.server = server
        self.fleet = fleet
        self.image = fleet.image
        self.wait = fleet.wait
        self.product_id = self.image(SOUND).manifest.product_id
        self._path = f"/products/{self.product_id}"
        fleet.move_to(server.client)
        if not self.server.api("GET", "/products")["products"]:
            self.server.product(
                **{"id": self.product_id, "name": "Victim", "check_in_interval_s": CHECK_IN_INTERVAL_S, **product}
            )
            if is_base_known:
                self.publish(self.image(SOUND))

    def board(self, seed: int = 1, key: PrivateKey | None = None) -> ServedBoard:
        """A board that is off."""
        return self.fleet.add(seed, self.server.client, key)

    def board_in_session(self, seed: int = 1) -> ServedBoard:
        """A board that has checked in twice."""
        board = self.board(seed)
        self.wait(lambda: board.count("check-in") >= 2)
        return board

    def publish(self, image: Image) -> None:
        """Uploads an image, whatever product it says that it is for."""
        self.server.api("POST", f"{self._path}/firmware", 201, files={"file": ("firmware.bin", image.raw)})

    def rollout(self, target: int | Image, *stages: dict[str, Any], **fields: Any) -> int:
        """Publishes an image (or the version's), starts a rollout of it and waits until its patches are made."""
        image = target if isinstance(target, Image) else self.image(target)
        self.publish(image)
        body = {"version": image.manifest.product_version, "stages": list(stages) or [TRUSTING], **fields}
        number = int(self.server.api("POST", f"{self._path}/rollouts", 201, json=body)["rollout"]["id"])
        self.server.api("POST", f"{self._path}/rollouts/{number}/start")
        self.server.services.jobs.patcher.work_off()
        return number

    def show(self, rollout: int) -> Any:
        """The rollout with what went wrong, as the API has it."""
        return self.server.api("GET", f"{self._path}/rollouts/{rollout}")

    def counters(self, rollout: int) -> dict[str, int]:
        """Those that are not 0."""
        return {name: count for name, count in self.show(rollout)["rollout"]["counters"].items() if count}

    def seen(self, board: ServedBoard) -> Any:
        """The device as the API has it."""
        return self.server.api("GET", f"{self._path}/devices/{board.id}")

    def resume(self, rollout: int) -> None:
        self.server.api("POST", f"{self._path}/rollouts/{rollout}/resume")

    def page(self, path: str) -> str:
        """The HTML of a page of the product, with white space made one space."""
        client = self.server.client
        if not client.cookies:
            client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
        response = client.get(f"/products/victim{path}")
        assert response.status_code == OK, response.text
        return " ".join(response.text.split())

    def wait_for_outcome(self, board: ServedBoard, *kinds: str) -> None:
        """Waits until the server has counted these outcomes of the board's attempts, and the board knows that."""

        def ended() -> list[str]:
            return [item["status"] for item in reversed(self.seen(board)["attempts"]) if item["ended_at"]]

        self.wait(lambda: board.log.facts.outcome is None and ended() == list(kinds), poll=1.0)


def settings_of(
    folder: Path, key_store: KeyStore, keyset: KeySet | None = None, online: Path | None = None
) -> Settings:
    """A server's settings: the tests' key set and online key unless others are given."""
    folder.mkdir(exist_ok=True)
    keyset = keyset or key_store.keyset()
    path = folder / f"keyset-{keyset.content.version}.cbor"
    path.write_bytes(keyset.to_bytes())
    return Settings(folder / "data", online or key_path(key_store.folder, "online"), (path,))


@contextmanager
def boards_of(victim: Victim, key_store: KeyStore) -> Iterator[Fleet]:
    """A fleet without boards, which are closed at the end."""
    fleet = Fleet(victim, key_store)
    try:
        yield fleet
    finally:
        for board in fleet.boards:
            board.device.close()


@contextmanager
def installed(
    settings: Settings, fleet: Fleet, token: str | None = None, *, is_base_known: bool = True, **product: Any
) -> Iterator[Installation]:
    """Runs the server until the block ends; `token` is that of an earlier run on the same data."""
    with contextmanager(run_server)(settings, fleet.clock, token) as server:
        yield Installation(server, fleet, is_base_known, **product)
