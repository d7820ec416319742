# SPDX-License-Identifier: Apache-2.0
"""Server, gateway and a small fleet on this computer: version 2 reaches every board in two stages, by patches."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from muster.client import JsonObject, ServerClient, Stage
from muster.delta import encode_full
from muster.demo.fleet import Board, BoardPlan, Fleet, FleetCut
from muster.demo.processes import MusterProcess, run_muster
from muster.errors import DeviceError, FileFault
from muster.image.image import Image
from muster.keystore import RELEASE, KeyStore
from muster.signing.keys import SEED_SIZE, PrivateKey
from muster.signing.signer import Signer, sign_image
from muster.status import OtaStatus

_T = TypeVar("_T")

BOARDS_PER_PLATFORM = 2
SPEED = 20.0
EMAIL = "demo@example.com"

_CHECK_IN_INTERVAL_S = 10
_SALT = "00" * 16
"""With it and the boards' ids, one board of each platform is in the first half of the fleet."""
_STAGES = ((50, 3), (100, 6))
"""Percent of the fleet, and the confirmed boots that end the stage."""
_CUTS = {"p1-1": FleetCut.FLASH, "electron-1": FleetCut.TRIAL}
_START_TIMEOUT_S = 60.0
_ROLLOUT_TIMEOUT_S = 240.0
_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class DemoBuild:
    """What was built of both versions for one platform.

    Attributes:
        bootloader: what lies in front of the image.
        before_elf, after_elf: for the server.
    """

    platform: str
    bootloader: bytes
    before: Image
    after: Image
    before_elf: Path
    after_elf: Path

    def signed(self, signer: Signer) -> DemoBuild:
        """The same with one more signature on both images."""
        return DemoBuild(
            self.platform,
            self.bootloader,
            sign_image(self.before, signer),
            sign_image(self.after, signer),
            self.before_elf,
            self.after_elf,
        )


@dataclass(frozen=True, slots=True)
class DeviceResult:
    """What one device went through.

    Attributes:
        id: the chip's unique id, 24 hex digits.
        version_before, version_after: as the server knows them.
        confirmed: the server counts it as confirmed, and the new image lies confirmed in its slot byte for byte.
        patch_bytes, full_bytes: length of the patch, and of the patch that needs no base.
        boots: starts of the CPU, the first one included.
        reverts: attempts that ended with the old image.
        cuts: how often its power was cut.
    """

    id: str
    platform: str
    version_before: int
    version_after: int
    confirmed: bool
    patch_bytes: int
    full_bytes: int
    boots: int
    reverts: int
    cuts: int


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What came out.

    Attributes:
        rollout: id, version, status, reason, stages and counters, as the server shows them.
        seconds: from the start of the server to the last confirmation.
    """

    devices: tuple[DeviceResult, ...]
    rollout: JsonObject
    seconds: float


class Demo:
    """A whole installation that lives as long as the object is entered. A context manager.

    Attributes:
        url: of the server's dashboard, once run() has begun.
        password: of the account EMAIL.
    """

    _client: ServerClient
    _fleet: Fleet
    _before: dict[str, int]

    def __init__(self, builds: list[DemoBuild], keystore: KeyStore, say: Callable[[str], None]) -> None:
        """The server must use the same keys; `say` gets a line for each step, also from another thread."""
        self.url = ""
        self.password = secrets.token_urlsafe(12)
        self._keystore = keystore
        self._builds = [build.signed(keystore.signer(RELEASE)) for build in builds]
        self._product_id = builds[0].after.manifest.product_id
        self._target_version = builds[0].after.manifest.product_version
        self._say = say
        self._exits = ExitStack()
        self._processes: list[MusterProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def run(self) -> DemoResult:
        """Goes through everything once.

        Raises:
            DeviceError: a device did not report in or not confirm in time, or the rollout was paused.
            EnvironmentFault: server or gateway did not start, or ended.
            ServerRefused, FileFault: what was built is not taken.
        """
        started = time.monotonic()
        folder = self._enter(tempfile.TemporaryDirectory(prefix="muster-demo-"))
        self._client = self._start_server(Path(folder))
        self._publish()
        self._fleet = self._start_fleet(Path(folder))
        rollout_id = self._roll_out()
        self._follow(rollout_id)
        self._fleet.stop()
        seconds = time.monotonic() - started
        shown = self._rollout(rollout_id)
        names = ("id", "version", "status", "reason", "stages", "counters")
        return DemoResult(tuple(self._results()), {name: shown[name] for name in names}, round(seconds, 1))

    def stay(self) -> Iterator[None]:
        """Lets everything go on in real time; the iterator's next value comes when it was looked after again.

        Raises what run() raises when a part ends.
        """
        self._fleet.start(1.0)
        while True:
            self._check()
            yield
            time.sleep(_POLL_S)

    def _start_server(self, folder: Path) -> ServerClient:
        data = str(folder / "server")
        self._say("starting the server")
        facts = run_muster(
            *("serve", "--data", data, "--init", "--email", EMAIL, "--password-stdin", "--json"),
            stdin=f"{self.password}\n",
        )
        server = self._start(MusterProcess("serve", "--data", data, "--port", "0", log_path=folder / "serve.log"))
        self.url = server.wait_for_line("serving on ", _START_TIMEOUT_S)
        self._say(f"the server and its dashboard: {self.url}")
        return self._enter(ServerClient(self.url, str(facts["token"])))

    def _publish(self) -> None:
        self._client.create_product(
            self._product_id, "Thermostat", check_in_interval_s=_CHECK_IN_INTERVAL_S, auto_approve=False
        )
        for build in self._builds:
            for image, elf in ((build.before, build.before_elf), (build.after, build.after_elf)):
                self._client.publish(image.raw, self._product_id, _read(elf))
        self._say(f"published two versions for {', '.join(build.platform for build in self._builds)}")

    def _start_fleet(self, folder: Path) -> Fleet:
        plans: list[BoardPlan] = []
        roots, keyset = self._keystore.roots, self._keystore.keyset()
        for build in self._builds:
            for number in range(1, BOARDS_PER_PLATFORM + 1):
                name = f"{build.platform}-{number}"
                key = PrivateKey(secrets.token_bytes(SEED_SIZE))
                seed, cut = len(plans) + 1, _CUTS.get(name)
                plans.append(BoardPlan(name, seed, build.bootloader, build.before, roots, keyset, key, cut))
        fleet = self._enter(Fleet(plans, self._say))
        self._client.import_devices(
            self._product_id, {board.device_id: board.plan.key.public_key.raw.hex() for board in fleet.boards}
        )
        for board in fleet.boards:
            self._client.change_device(self._product_id, board.device_id, name=board.plan.name)
        ports = [argument for board in fleet.boards for argument in ("--port", board.path)]
        self._say(f"starting the gateway and {len(fleet.boards)} emulated devices")
        gateway = self._start(MusterProcess("gateway", *ports, "--server", self.url, log_path=folder / "gateway.log"))
        gateway.wait_for_line("forwarding ", _START_TIMEOUT_S)
        fleet.power_on()
        fleet.start(SPEED)
        self._fleet = fleet
        deadline = time.monotonic() + _START_TIMEOUT_S
        while any(device["firmware_version"] is None for device in self._devices().values()):
            self._pause(deadline, lambda: "not all devices have reported in")
        self._before = {name: _int(device, "firmware_version") for name, device in self._devices().items()}
        self._say(f"all devices have reported in and run version {max(self._before.values())}")
        return fleet

    def _roll_out(self) -> int:
        stages = [Stage(percent, min_confirmed, 0) for percent, min_confirmed in _STAGES]
        made = self._client.create_rollout(self._product_id, self._target_version, stages, "Demo", _SALT)
        number = _int(made, "id")
        self._client.move_rollout(self._product_id, number, "start")
        self._say(f"rollout of version {self._target_version}: {_STAGES[0][0]} % of the devices, then all")
        return number

    def _follow(self, rollout_id: int) -> None:
        """Waits until the rollout is complete and every device has said so, and tells what changes."""
        deadline = time.monotonic() + _ROLLOUT_TIMEOUT_S
        devices = self._devices()
        told = {board.plan.name: _state_text(devices[board.device_id]) for board in self._fleet.boards}
        while True:
            devices = self._devices()
            rollout = self._rollout(rollout_id)
            for board in self._fleet.boards:
                self._tell(told, board.plan.name, _state_text(devices[board.device_id]))
            self._tell(told, "rollout", str(rollout["gate"]))
            if rollout["status"] == "completed" and all(self._has_arrived(device) for device in devices.values()):
                return
            if rollout["status"] not in ("running", "completed"):
                raise DeviceError(f"the rollout is {rollout['status']}: {rollout['gate']}", OtaStatus.ERR_STATE)
            self._pause(deadline, self._who_is_missing)

    def _results(self) -> Iterator[DeviceResult]:
        for build in self._builds:
            full_len = len(encode_full(build.after.raw))
            for board in self._fleet.boards:
                if board.plan.image is build.before:
                    yield self._result(board, build, full_len)

    def _result(self, board: Board, build: DemoBuild, full_len: int) -> DeviceResult:
        seen = self._client.device(self._product_id, board.device_id)
        attempts = [item for item in _list(seen, "attempts") if item["status"] == "confirmed"]
        return DeviceResult(
            id=board.device_id,
            platform=build.platform,
            version_before=self._before[board.device_id],
            version_after=_int(seen, "firmware_version"),
            confirmed=self._has_arrived(seen) and len(attempts) == 1 and board.runs(build.after),
            patch_bytes=_int(attempts[0], "patch_size") if attempts else 0,
            full_bytes=full_len,
            boots=board.boots,
            reverts=board.reverts,
            cuts=board.cuts,
        )

    def _devices(self) -> dict[str, JsonObject]:
        return {str(device["id"]): device for device in self._client.devices(self._product_id)}

    def _rollout(self, rollout_id: int) -> JsonObject:
        shown = self._client.rollout(self._product_id, rollout_id)["rollout"]
        assert isinstance(shown, dict)
        return shown

    def _has_arrived(self, device: JsonObject) -> bool:
        return device["firmware_version"] == self._target_version and device["boot_state"] == 0

    def _tell(self, told: dict[str, str], name: str, text: str) -> None:
        if told.get(name, "") != text:
            told[name] = text
            self._say(f"{name}: {text}")

    def _who_is_missing(self) -> str:
        """Which devices have not confirmed, and what the server says of each."""
        words = []
        for board in self._fleet.boards:
            seen = self._client.device(self._product_id, board.device_id)
            if not self._has_arrived(seen):
                words.append(f"{board.plan.name} has not confirmed in time: {_state_text(seen)}. {seen['explanation']}")
        return " ".join(words) or "the rollout does not come to its end"

    def _pause(self, deadline: float, why: Callable[[], str]) -> None:
        self._check()
        if time.monotonic() >= deadline:
            raise DeviceError(why(), OtaStatus.ERR_TIMEOUT)
        time.sleep(_POLL_S)

    def _check(self) -> None:
        """Raises the error of a part that has ended."""
        for process in self._processes:
            process.check()
        self._fleet.check()

    def _start(self, process: MusterProcess) -> MusterProcess:
        self._processes.append(process)
        return self._enter(process)

    def _enter(self, manager: AbstractContextManager[_T]) -> _T:
        return self._exits.enter_context(manager)


def check_result(result: DemoResult) -> None:
    """Raises DeviceError when a device has not confirmed the new version."""
    for device in result.devices:
        if not device.confirmed:
            raise DeviceError(f"device {device.id} ({device.platform}) has not confirmed", OtaStatus.ERR_STATE)


def _state_text(device: JsonObject) -> str:
    version = device["firmware_version"]
    trial = device["boot_state"]
    return f"version {version}, " + (f"trial {trial}" if trial else "confirmed")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileFault(f"cannot read {path}: {error.strerror}") from error


def _int(facts: JsonObject, name: str) -> int:
    value = facts[name]
    assert isinstance(value, int)
    return value


def _list(facts: JsonObject, name: str) -> list[JsonObject]:
    value = facts[name]
    assert isinstance(value, list)
    return value
