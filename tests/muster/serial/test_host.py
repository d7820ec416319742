# SPDX-License-Identifier: Apache-2.0
"""One update from the host's side, with everything that can happen on the way."""

from __future__ import annotations

import pytest

from muster.device.bootlog import Reason
from muster.errors import DeviceError, ValueOutOfRange
from muster.serial import Link, Offer, UpdateHost, UpdateProgress, UpdateState
from muster.serial.frame import Frame
from muster.serial.messages import Confirm, Data, InfoRequest, Message, UpdatePhase, UpdateStatus, frame_of
from muster.status import OtaStatus
from tests.muster.serial.simulated import NEW, PIECE, SimulatedDevice, SimulatedTransport

PATCH = bytes(range(250)) * 17
ATTEMPT = 5
OFFER = Offer.of_patch(ATTEMPT, NEW, 40_000, PATCH)


class Bench:
    """A simulated device, its line, and a host that updates it."""

    def __init__(self, *, confirm: bool = True, patch: bytes = PATCH, offer: Offer = OFFER) -> None:
        self.device = SimulatedDevice()
        self.transport = SimulatedTransport(self.device)
        self.log: list[str] = []
        self.steps: list[UpdateProgress] = []
        self.host = UpdateHost(offer, patch, confirm=confirm, on_log=self.log.append, on_progress=self.steps.append)

    def run(self, timeout_s: float = 120.0) -> UpdateState:
        Link(self.transport).update(self.host, timeout_s)
        return self.host.state

    def states(self) -> list[UpdateState]:
        """Without repetitions in a row."""
        found: list[UpdateState] = []
        for step in self.steps:
            if not found or found[-1] is not step.state:
                found.append(step.state)
        return found


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_update_goes_from_offer_to_confirmed(bench: Bench) -> None:
    assert bench.run() is UpdateState.CONFIRMED
    assert bench.states() == [
        UpdateState.ASKING,
        UpdateState.OFFERED,
        UpdateState.SENDING,
        UpdateState.ERASING,
        UpdateState.SENDING,
        UpdateState.CHECKING,
        UpdateState.STAGED,
        UpdateState.ASKING,
        UpdateState.CONFIRMING,
        UpdateState.ASKING,
        UpdateState.CONFIRMED,
    ]
    assert bench.device.patch == PATCH
    assert bench.host.served_bytes == len(PATCH)
    assert bench.host.status is OtaStatus.OK
    assert bench.host.info is not None
    assert bench.host.info.identity == NEW


def test_progress_rises_to_the_length_of_the_patch(bench: Bench) -> None:
    bench.run()
    offsets = [step.patch_off for step in bench.steps]
    assert offsets == sorted(offsets)
    assert offsets[-1] == bench.steps[-1].patch_len == len(PATCH)


def test_device_that_runs_the_image_already_gets_nothing(bench: Bench) -> None:
    bench.run()
    again = UpdateHost(OFFER, PATCH)
    Link(bench.transport).update(again, 10.0)
    assert again.state is UpdateState.CONFIRMED
    assert again.served_bytes == 0


def test_refused_offer_ends_the_update_with_its_status(bench: Bench) -> None:
    bench.device.refuse = OtaStatus.ERR_NOT_ALLOWED
    assert bench.run() is UpdateState.REFUSED
    assert bench.host.status is OtaStatus.ERR_NOT_ALLOWED
    assert bench.host.served_bytes == 0


def test_refused_image_ends_the_update_with_its_status(bench: Bench) -> None:
    bench.device.verdict = OtaStatus.ERR_SIGNERS
    assert bench.run() is UpdateState.REFUSED
    assert bench.host.status is OtaStatus.ERR_SIGNERS


@pytest.mark.parametrize("lost_after", [0, PIECE, 3 * PIECE])
def test_device_that_loses_power_in_the_download_is_offered_the_patch_again(bench: Bench, lost_after: int) -> None:
    lost: list[bool] = []

    def lose_power() -> None:
        if not lost and bench.host.state is UpdateState.SENDING and len(bench.device.patch) >= lost_after:
            lost.append(True)
            bench.device.lose_power()
            bench.transport.read(0)

    bench.transport.during = lose_power
    assert bench.run() is UpdateState.CONFIRMED
    assert lost
    assert bench.states().count(UpdateState.OFFERED) == 2
    assert bench.host.served_bytes <= len(PATCH) + PIECE


@pytest.mark.parametrize("number", range(9))
def test_any_lost_frame_to_the_device_costs_only_time(bench: Bench, number: int) -> None:
    seen: list[Message] = []

    def drop(message: Message) -> bool:
        seen.append(message)
        if isinstance(message, Data) and len(seen) - 1 == number:
            # The device asks again, as it does after 2 s.
            bench.transport.say(frame_of(bench.device.fetch()))
        return len(seen) - 1 == number

    bench.device.drop = drop
    assert bench.run() is UpdateState.CONFIRMED
    assert len(seen) > number


def test_lost_end_of_the_update_is_found_out_by_asking(bench: Bench) -> None:
    bench.transport.during = lambda: bench.transport.say(b"")
    receive = bench.device.receive

    def without_end(data: bytes) -> bytes:
        answer = receive(data)
        end = UpdateStatus(ATTEMPT, UpdatePhase.ENDED, OtaStatus.OK, len(PATCH))
        return answer.replace(frame_of(end), b"")

    bench.device.receive = without_end  # type: ignore[method-assign]
    assert bench.run() is UpdateState.CONFIRMED
    assert UpdateState.STAGED not in bench.states()


def test_silent_device_is_asked_until_it_is_back(bench: Bench) -> None:
    device, bench.transport.device = bench.transport.device, None

    def come_back() -> None:
        if bench.transport.time_s() > 130:
            bench.transport.device = device

    bench.transport.during = come_back
    assert bench.run() is UpdateState.CONFIRMED


def test_device_that_never_answers_is_given_up_at_the_deadline(bench: Bench) -> None:
    bench.transport.device = None
    with pytest.raises(DeviceError) as caught:
        bench.run(timeout_s=20.0)
    assert caught.value.status is OtaStatus.ERR_TIMEOUT
    assert bench.transport.sent == frame_of(InfoRequest()) * 20


def test_reverted_trial_ends_the_update_with_its_reason(bench: Bench) -> None:
    def hang(message: Message) -> bool:
        if isinstance(message, Confirm):
            bench.device.revert(Reason.WATCHDOG)
        return isinstance(message, Confirm)

    bench.device.drop = hang
    assert bench.run() is UpdateState.REVERTED
    assert bench.host.info is not None
    assert bench.host.info.outcome is not None
    assert bench.host.info.outcome.reason == Reason.WATCHDOG


def test_failure_of_an_earlier_attempt_does_not_stop_this_one(bench: Bench) -> None:
    bench.device.revert(Reason.FAULT)
    assert bench.run() is UpdateState.CONFIRMED


def test_unconfirmed_trial_is_watched_until_the_device_reverts() -> None:
    bench = Bench(confirm=False)

    def revert() -> None:
        if bench.host.state is UpdateState.TRIAL and bench.transport.time_s() > 150:
            bench.device.revert(Reason.NO_CONTACT)

    bench.transport.during = revert
    assert bench.run() is UpdateState.REVERTED
    assert UpdateState.CONFIRMING not in bench.states()


def test_download_that_timed_out_goes_on(bench: Bench) -> None:
    told: list[bool] = []

    def time_out() -> None:
        if bench.host.state is UpdateState.SENDING and len(bench.device.patch) == PIECE and not told:
            told.append(True)
            bench.device.lose_power()
            bench.transport.read(0)
            ended = UpdateStatus(ATTEMPT, UpdatePhase.ENDED, OtaStatus.ERR_TIMEOUT, PIECE)
            bench.transport.say(frame_of(ended))

    bench.transport.during = time_out
    assert bench.run() is UpdateState.CONFIRMED
    assert told


def test_messages_of_another_update_or_version_are_ignored(bench: Bench) -> None:
    other = UpdateStatus(ATTEMPT + 1, UpdatePhase.ENDED, OtaStatus.ERR_HASH, 0)
    stray = frame_of(other) + Frame(0x70, b"?").to_bytes() + Frame(0x81, b"no map").to_bytes() + frame_of(InfoRequest())
    assert bench.host.receive(stray, 0.0) == b""
    assert bench.run() is UpdateState.CONFIRMED


def test_text_between_frames_is_log(bench: Bench) -> None:
    bench.transport.say(b"12 info one\r\n13 info t")
    bench.run()
    bench.host.receive(b"wo\r\n\xff\n", 0.0)
    assert bench.log == ["12 info one", "13 info two", "\ufffd"]


def test_bad_frames_are_counted(bench: Bench) -> None:
    bench.host.receive(b"\x00\x01\x02\x03\x00", 0.0)
    assert bench.host.bad_frames == 1


def test_nothing_is_said_before_its_time_or_after_the_end(bench: Bench) -> None:
    assert bench.host.tick(50.0) != b""
    assert bench.host.tick(50.5) == b""
    bench.device.refuse = OtaStatus.ERR_STATE
    bench.run()
    assert bench.host.tick(10_000.0) == b""
    assert bench.host.receive(frame_of(bench.device.info), 10_000.0) == b""


def test_patch_of_another_length_than_offered_is_refused() -> None:
    with pytest.raises(ValueOutOfRange):
        UpdateHost(OFFER, PATCH[:-1])
