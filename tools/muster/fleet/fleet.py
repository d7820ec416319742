# SPDX-License-Identifier: Apache-2.0
"""A fleet of simulated devices: what each says next, and what an answer makes of it. No network and no clock.

A million devices fit into some hundred megabytes: what all of them have is in arrays, and only one that is being
updated has an object.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache

from muster.fleet.seeded import seeded, seeded_key
from muster.fleet.tally import Tally
from muster.fleet.traits import Mix, Traits, draw
from muster.protocol import (
    Answer,
    Crash,
    MessageFormatError,
    OpenAnswer,
    OpenRequest,
    Outcome,
    OutcomeType,
    Report,
    SealRefused,
    UpdateProgress,
    derive_key,
    opening_digest,
    seal,
    share_of,
)
from muster.protocol.seal import SESSION_ID_SIZE, SESSION_KEY_SIZE

SPEED_BYTES_PER_S = 2000
"""How fast a device downloads a patch over its link."""
RESTART_S = 10
INTERVAL_S = 300
"""Between check-ins until the server wishes otherwise."""
REVERTED_BY_WATCHDOG = 1
FAULT = 3

NOTHING = Answer().to_bytes()

OPEN, CHECK_IN = "/device/v1/open", "/device/v1/check-in"


@dataclass(frozen=True, slots=True)
class Running:
    """An image as the server knows it: first bytes of its identity, and its version."""

    identity: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Model:
    """What a fleet consists of.

    Attributes:
        seed, count: devices `seeded(seed, 0)` and so on.
        images: what devices run at first, in equal shares.
        has_sessions: the server has the fleet with the sessions of `seeded`.
    """

    seed: str
    count: int
    product_id: int
    platform_id: int
    images: tuple[Running, ...]
    mix: Mix = field(default_factory=Mix)
    keyset_version: int = 1
    has_sessions: bool = False


class Step(Enum):
    """How far an update is."""

    DOWNLOADING = auto()
    STAGED = auto()
    TRIAL = auto()
    ENDED = auto()
    """Its outcome has not been acknowledged."""


@dataclass(slots=True)
class Update:
    """An attempt that a device is at work on."""

    attempt: int
    target: Running
    digest: bytes
    patch_len: int
    step: Step = Step.DOWNLOADING
    received: int = 0
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a device sends. `share_secret`: of an opening."""

    path: str
    body: bytes
    share_secret: bytes = b""


class Fleet:
    """The devices of a model.

    Attributes:
        tally: what counts how they fare.
    """

    def __init__(self, model: Model) -> None:
        count = model.count
        self._model = model
        self.tally = Tally()
        self._images = list(model.images)
        # Of each device; `_is_told`: the server has had its whole state in this session.
        self._counters = array("I", bytes(4 * count))
        self._is_told = bytearray([model.has_sessions]) * count
        self._intervals = array("I", [INTERVAL_S]) * count
        self._running = array("H", bytes(2 * count))
        self._has_session = bytearray([model.has_sessions]) * count
        self._sessions = bytearray()
        # Of a few.
        self._updates: dict[int, Update] = {}
        self._crashes: dict[int, Crash] = {}
        for number in range(count):
            self._running[number] = int(self.traits(number).image * len(model.images))

    def traits(self, number: int) -> Traits:
        return draw(self._model.seed, number, self._model.mix)

    @property
    def count(self) -> int:
        return self._model.count

    def interval_s(self, number: int) -> int:
        """Between two of its check-ins."""
        return self.traits(number).interval_s(self._intervals[number])

    def version(self, number: int) -> int:
        """What a device runs."""
        return self._images[self._running[number]].version

    def next_request(self, number: int, uptime_s: int, randomness: bytes) -> Request:
        """The next message of a device: an opening when it has no session.

        Args:
            randomness: 48 bytes, for an opening.
        """
        if not self._has_session[number]:
            return self._opening(number, randomness)
        session_id, key = self._session(number)
        self._counters[number] += 1
        if self._is_told[number] and number not in self._updates:
            plaintext = _routine(uptime_s, number % 3)
        else:
            plaintext = self._report(number, uptime_s).to_bytes()
        return Request(CHECK_IN, seal.seal_up(session_id, key, self._counters[number], plaintext))

    def patch_to_fetch(self, number: int) -> bytes | None:
        """The digest of the patch that it has just been offered."""
        update = self._updates.get(number)
        return update.digest if update is not None and update.received == 0 else None

    def refused(self, number: int) -> float:
        """The server does not know its session any more; returns in how many seconds it comes again."""
        self._end_session(number)
        return 1.0

    def take_opened(self, number: int, request: Request, raw: bytes) -> float:
        """Takes the answer to an opening, without asking who has signed it. Raises MessageFormatError."""
        answer = OpenAnswer.from_bytes(raw)
        key = derive_key(request.share_secret, answer.share, opening_digest(request.body), answer.session_id)
        if not self._sessions:
            # Those that were seeded are known without it.
            self._sessions = bytearray((SESSION_ID_SIZE + SESSION_KEY_SIZE) * self._model.count)
        at = number * (SESSION_ID_SIZE + SESSION_KEY_SIZE)
        self._sessions[at : at + SESSION_ID_SIZE + SESSION_KEY_SIZE] = answer.session_id + key
        self._has_session[number] = 1
        self._counters[number] = self._is_told[number] = 0
        return 0.0

    def take(self, number: int, raw: bytes) -> float:
        """Takes the answer to a check-in; returns in how many seconds the device comes again.

        Raises:
            MessageFormatError: it is none, or of another message.
        """
        session_id, key = self._session(number)
        try:
            plaintext = seal.open_down(session_id, key, self._counters[number], raw)
        except SealRefused as error:
            raise MessageFormatError("an answer that is not to this message") from error
        self._is_told[number] = 1
        if plaintext == NOTHING and number not in self._updates:
            return self.interval_s(number)
        answer = Answer.from_bytes(plaintext)
        self._crashes.pop(number, None)
        if answer.next_s is not None:
            self._intervals[number] = max(answer.next_s, 1)
        wait_s = self._go_on(number, answer)
        return self.interval_s(number) if wait_s is None else wait_s

    def _session(self, number: int) -> tuple[bytes, bytes]:
        at = number * (SESSION_ID_SIZE + SESSION_KEY_SIZE)
        kept = bytes(self._sessions[at : at + SESSION_ID_SIZE + SESSION_KEY_SIZE])
        if any(kept):
            return kept[:SESSION_ID_SIZE], kept[SESSION_ID_SIZE:]
        who = seeded(self._model.seed, number)
        return who.session_id, who.session_key

    def _end_session(self, number: int) -> None:
        self._has_session[number] = 0

    def _opening(self, number: int, randomness: bytes) -> Request:
        model, secret = self._model, randomness[:32]
        key = seeded_key(model.seed, number)
        who = seeded(model.seed, number).device_id
        share, nonce = share_of(secret), randomness[32:48]
        request = OpenRequest(
            who, key.public_key.raw, share, nonce, model.product_id, model.platform_id, model.keyset_version
        )
        return Request(OPEN, request.sign(key), secret)

    def _report(self, number: int, uptime_s: int) -> Report:
        update = self._updates.get(number)
        outcome = progress = None
        if update is not None:
            outcome = update.outcome
            if update.step in (Step.DOWNLOADING, Step.STAGED):
                progress = UpdateProgress(update.attempt, int(update.step is Step.STAGED), update.received)
        health = _health(number % 3)
        if self._is_told[number]:
            return Report(
                outcome=outcome,
                update=progress,
                uptime_s=uptime_s,
                health=health,
                crash=self._crashes.get(number),
                boot_state=0 if update is not None and update.step is Step.ENDED else None,
            )
        running = self._images[self._running[number]]
        return Report(
            identity=running.identity,
            product_version=running.version,
            slot=0,
            hardware_revision=1,
            security_counter=0,
            boot_state=int(update is not None and update.step is Step.TRIAL),
            bootloader_version=1,
            keyset_version=self._model.keyset_version,
            interval_s=self._intervals[number],
            outcome=outcome,
            update=progress,
            uptime_s=uptime_s,
            health=health,
            boots=1,
        )

    def _go_on(self, number: int, answer: Answer) -> float | None:
        """Moves an update on, after an answer; returns in how many seconds the device comes again, or None."""
        update = self._updates.get(number)
        if answer.offer is not None and (update is None or update.step is Step.DOWNLOADING):
            offer = answer.offer
            target = Running(offer.identity[:8], self.version(number) + 1)
            known = next((image for image in self._images if image.identity == target.identity), target)
            self._updates[number] = Update(offer.attempt, known, offer.patch_digest, offer.patch_len)
            self.tally.offers += 1
            self.tally.patch_bytes += offer.patch_len
            return offer.patch_len / SPEED_BYTES_PER_S / 2
        if update is None:
            return None
        match update.step:
            case Step.DOWNLOADING if answer.withdrawn == update.attempt:
                del self._updates[number]
                return None
            case Step.DOWNLOADING if update.received == 0:
                update.received = update.patch_len // 2
                return update.patch_len / SPEED_BYTES_PER_S / 2
            case Step.DOWNLOADING:
                update.received, update.step = update.patch_len, Step.STAGED
                return 0.0
            case Step.STAGED:
                self._restart(number, update)
                return float(RESTART_S)
            case Step.TRIAL:
                # The answer is authentic: the device confirms the image, and tells it.
                self._end(number, update, OutcomeType.CONFIRMED, 0)
                return 0.0
            case Step.ENDED:
                if answer.outcome_acknowledged == update.attempt:
                    del self._updates[number]
        return None

    def _restart(self, number: int, update: Update) -> None:
        """Boots the new image on trial; some go back to the old one."""
        self._end_session(number)
        traits = self.traits(number)
        if traits.luck < self._model.mix.failures:
            self._end(number, update, OutcomeType.REJECTED, REVERTED_BY_WATCHDOG)
            return
        update.step = Step.TRIAL
        if update.target not in self._images:
            self._images.append(update.target)
        self._running[number] = self._images.index(update.target)
        if traits.calm < self._model.mix.crashes:
            crash = Crash(update.attempt, update.target.identity, FAULT, 0x0802_0000, 0x0802_0100, 60)
            self._crashes[number] = crash
            self.tally.crashes += 1

    def _end(self, number: int, update: Update, kind: OutcomeType, reason: int) -> None:
        update.step = Step.ENDED
        update.outcome = Outcome(update.attempt, kind, update.target.identity, reason)
        if kind is OutcomeType.CONFIRMED:
            self.tally.confirmed += 1
        else:
            self.tally.reverted += 1


def _health(link_errors: int) -> dict[int, int]:
    return {1: 1840, 2: link_errors, 3: 0, 4: 1, 5: 0}


@lru_cache(maxsize=64)
def _routine(uptime_s: int, link_errors: int) -> bytes:
    """What most devices say, most of the time."""
    return Report(uptime_s=uptime_s, health=_health(link_errors)).to_bytes()
