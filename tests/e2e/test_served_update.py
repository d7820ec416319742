# SPDX-License-Identifier: Apache-2.0
"""Updates that a server offers, on the real firmware: from the offer to the second check-in of the new image."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from muster.delta import Patch, encode, encode_full
from muster.device.bootlog import Reason, RecordType
from muster.device.identity_page import IdentityPage
from muster.emulator import CutMode
from muster.keystore import ONLINE, RELEASE, KeyStore
from muster.layout import IDENTITY_ADDR, Lifecycle
from muster.protocol import OutcomeType, Report
from muster.serial import BootState
from muster.serial.messages import CheckIn, CheckInAnswer, Data, Message, OpenAnswer
from muster.signing.keys import PrivateKey
from muster.status import OtaStatus
from tests.e2e.board import CRASHES, Victim, remade
from tests.e2e.gateway import Served

ATTEMPT = 7
BothModes = pytest.mark.parametrize("mode", [CutMode.CLEAN, CutMode.TORN], ids=["clean", "torn"])
BothModesInFull = pytest.mark.parametrize(
    "mode", [pytest.param(CutMode.CLEAN, marks=pytest.mark.full), CutMode.TORN], ids=["clean", "torn"]
)


@pytest.fixture(scope="module")
def full(victim: Victim, key_store: KeyStore) -> Patch:
    """An image of many pieces."""
    with Served(victim, key_store.signer(ONLINE)) as served:
        return encode_full(served.target.raw)


@pytest.fixture
def served(victim: Victim, key_store: KeyStore) -> Iterator[Served]:
    """Off; version 1 is in slot A. Its server asks for a check-in every second."""
    with Served(victim, key_store.signer(ONLINE)) as served:
        served.server.next_s = 1
        yield served


def small_patch(served: Served) -> Patch:
    return encode(served.base.raw, served.target.raw)


def offer_small(served: Served, attempt: int = ATTEMPT) -> None:
    served.gateway.offer(attempt, served.target, small_patch(served))


def stopped(report: Report) -> int | None:
    """The status of an update that has stopped."""
    return report.update.status if report.update is not None and report.update.status < 0 else None


def wait_for_stop(served: Served) -> OtaStatus:
    served.wait(lambda: any(stopped(report) is not None for report in served.server.reports))
    return OtaStatus(next(filter(None, map(stopped, served.server.reports))))


def test_offer_is_fetched_tried_and_confirmed_by_the_first_answer(served: Served) -> None:
    served.wait_for_reports(2)
    offer_small(served)
    served.assert_confirmed(ATTEMPT)
    trial = next(n for n, report in enumerate(served.server.reports) if report.boot_state == 1)
    first, second = served.server.reports[trial : trial + 2]
    assert first.identity == served.target.identity[:8]
    assert first.outcome is None
    assert second.boot_state == 0
    assert second.outcome is not None
    assert (second.outcome.attempt, second.outcome.type) == (ATTEMPT, OutcomeType.CONFIRMED)
    times = [time for time, message in served.gateway.sent if isinstance(message, CheckIn)]
    assert times[trial + 1] - times[trial] < 0.5, "the second check-in follows at once"
    assert [kind for kind, _ in served.board.history()] == [
        RecordType.REPORTED,
        RecordType.STAGED,
        RecordType.TRIAL,
        RecordType.CONFIRMED,
        RecordType.REPORTED,
    ]
    assert served.gateway.outcomes()[1:] == [(ATTEMPT, RecordType.CONFIRMED, Reason.NONE)]
    served.server.offer = None
    assert served.board.power_cycle().boot_state is BootState.CONFIRMED


def test_check_ins_go_on_between_the_pieces_of_a_patch(served: Served, full: Patch) -> None:
    served.gateway.offer(ATTEMPT, served.target, full)
    served.assert_confirmed(ATTEMPT)
    received = [report.update.received for report in served.server.reports if report.update is not None]
    assert len(received) >= 2
    assert received == sorted(received)
    assert 0 < received[-1] < len(full.raw)
    offsets = [fetch.offset for fetch in served.gateway.fetched]
    assert offsets == list(range(0, len(full.raw), 1020)), "every piece is fetched once"


def test_production_device_takes_the_servers_offer(served: Served, key_store: KeyStore) -> None:
    page = IdentityPage(
        product_id=served.base.manifest.product_id,
        hardware_revision=1,
        lifecycle=Lifecycle.PRODUCTION,
        roots=key_store.roots,
        device_id=served.device.unique_id,
        device_key=PrivateKey(bytes(range(32))),
    )
    served.device.write_memory(IDENTITY_ADDR, page.to_bytes())
    # Signed by the development key only, then by the release key too.
    offer_small(served)
    assert wait_for_stop(served) is OtaStatus.ERR_SIGNERS
    served.target = remade(served.target, key_store.signer(RELEASE))
    offer_small(served, ATTEMPT + 1)
    served.assert_confirmed(ATTEMPT + 1)


def test_quarantine_is_an_answer_too(served: Served) -> None:
    served.wait_for_reports(1)
    offer_small(served)
    served.wait(lambda: b"on trial" in served.gateway.text)
    served.server.say = {"is_quarantined": True, "outcome_acknowledged": None}
    (report,) = served.wait_for_reports(1)
    assert report.boot_state == 1
    served.wait(lambda: (RecordType.CONFIRMED, Reason.NONE) in served.board.history())


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (lambda offer: replace(offer, image_len=offer.image_len + 4), OtaStatus.ERR_PATCH_SIZE),
        (lambda offer: replace(offer, identity=bytes(16)), OtaStatus.ERR_IDENTITY),
        (lambda offer: replace(offer, image_len=0xFFFF_FFFF), OtaStatus.ERR_PATCH_SIZE),
        (lambda offer: replace(offer, patch_digest=bytes(32)), OtaStatus.ERR_NOT_FOUND),
    ],
)
def test_wrong_offer_is_refused_told_and_not_tried_again(
    served: Served, spoil: Callable[[object], object], status: OtaStatus
) -> None:
    erases = served.device.counters.erases
    offer_small(served)
    served.server.offer = spoil(served.server.offer)  # type: ignore[assignment]
    assert wait_for_stop(served) is status
    fetched = len(served.gateway.fetched)
    reports = served.wait_for_reports(4)
    assert all(report.update is None for report in reports), "told once"
    assert len(served.gateway.fetched) == fetched
    assert served.device.counters.erases == erases
    offer_small(served, ATTEMPT + 1)
    served.assert_confirmed(ATTEMPT + 1)


def test_unsigned_image_of_a_server_in_wrong_hands_is_refused(served: Served) -> None:
    unsigned = remade(served.target)
    served.gateway.offer(ATTEMPT, unsigned, encode(served.base.raw, unsigned.raw))
    assert wait_for_stop(served) is OtaStatus.ERR_SIGNERS
    assert [kind for kind, _ in served.board.history()] == [RecordType.REPORTED]


def test_withdrawn_offer_is_given_up(served: Served, full: Patch) -> None:
    served.gateway.offer(ATTEMPT, served.target, full)
    served.wait(lambda: any(report.update is not None for report in served.server.reports))
    served.server.offer = None
    served.server.say = {"withdrawn": ATTEMPT}
    assert wait_for_stop(served) is OtaStatus.ERR_STATE
    fetched = len(served.gateway.fetched)
    served.wait_for_reports(3)
    assert len(served.gateway.fetched) == fetched
    assert served.board.log.facts.attempt is None


def test_offer_goes_on_after_the_line_was_down(served: Served, full: Patch) -> None:
    served.gateway.offer(ATTEMPT, served.target, full)
    served.wait(lambda: len(served.gateway.fetched) > 20)
    served.gateway.is_silent = True
    served.device.run(45.0)  # longer than a FETCH is repeated
    served.gateway.is_silent = False
    served.assert_confirmed(ATTEMPT)
    assert all(stopped(report) is None for report in served.server.reports)
    offsets = [fetch.offset for fetch in served.gateway.fetched]
    assert offsets == list(range(0, len(full.raw), 1020)), "nothing is fetched twice"


def test_lost_and_repeated_answers_do_no_harm(served: Served, full: Patch) -> None:
    draw = random.Random(1)

    def bad_line(message: Message) -> list[Message]:
        return draw.choice(([], [message], [message], [message, message], [message, message, message]))

    served.gateway.tamper = bad_line
    served.gateway.offer(ATTEMPT, served.target, full)
    served.assert_confirmed(ATTEMPT)


def test_crash_in_a_trial_is_reverted_and_told(served: Served, victim: Victim) -> None:
    crashing = victim.image(CRASHES)
    served.gateway.offer(ATTEMPT, crashing, encode(served.base.raw, crashing.raw))
    served.wait_for_outcome(ATTEMPT, RecordType.REJECTED, Reason.FAULT)
    crash = next(report.crash for report in served.server.reports if report.crash is not None)
    assert crash.identity == crashing.identity[:8]
    assert served.server.state["identity"] == served.base.identity[:8]


def test_trial_without_contact_is_given_up_told_and_tried_again_without_a_download(served: Served) -> None:
    served.wait_for_reports(1)
    offer_small(served)
    served.wait(lambda: b"on trial" in served.gateway.text)
    served.gateway.is_server_there = False
    served.wait(lambda: b"trial: no contact" in served.gateway.text)
    served.server.offer = None
    served.gateway.is_server_there = True
    served.wait_for_outcome(ATTEMPT, RecordType.REJECTED, Reason.NO_CONTACT)
    assert all(report.crash is None for report in served.server.reports), "a starved watchdog is no crash here"
    fetched = len(served.gateway.fetched)
    offer_small(served, ATTEMPT + 1)
    served.assert_confirmed(ATTEMPT + 1)
    assert len(served.gateway.fetched) == fetched


def test_interrupted_trial_is_told_and_tried_again_without_a_download(served: Served) -> None:
    offer_small(served)
    for count in range(1, 4):
        served.gateway.text = b""
        served.wait(lambda: b"on trial\r\n" in served.gateway.text)
        assert served.board.log.facts.trial_count == count
        served.device.power_off()
    served.server.offer = None
    served.wait_for_outcome(ATTEMPT, RecordType.INTERRUPTED, Reason.POWER)
    fetched = len(served.gateway.fetched)
    offer_small(served, ATTEMPT + 1)
    served.assert_confirmed(ATTEMPT + 1)
    assert len(served.gateway.fetched) == fetched


def test_answers_from_before_the_trial_do_not_confirm_it(served: Served) -> None:
    old: list[Message] = []

    def keep(message: Message) -> list[Message]:
        old.append(message)
        return [message]

    served.gateway.tamper = keep
    served.wait_for_reports(3)
    offer_small(served)
    served.wait(lambda: b"on trial" in served.gateway.text)
    answers = [message for message in old if isinstance(message, CheckInAnswer)]
    served.gateway.tamper = lambda message: (
        [replace(answer, exchange=message.exchange) for answer in answers]
        if isinstance(message, CheckInAnswer)
        else [message]
    )
    served.wait(lambda: b"trial: no contact" in served.gateway.text)
    served.gateway.tamper = lambda message: [message]
    served.server.offer = None
    served.wait_for_outcome(ATTEMPT, RecordType.REJECTED, Reason.NO_CONTACT)


# Power


ANSWERS: dict[str, type[Message]] = {"opening": OpenAnswer, "checking in": CheckInAnswer, "fetching": Data}


@pytest.mark.parametrize("when", ["asked", "answered"])
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", ANSWERS)
def test_power_cut_at_a_message_is_recovered_from(served: Served, full: Patch, kind: str, n: int, when: str) -> None:
    """The power goes with the n-th message of the kind, before or while its answer is on the line."""
    device, seen = served.device, 0

    def tampered(message: Message) -> list[Message]:
        nonlocal seen
        if isinstance(message, ANSWERS[kind]):
            seen += 1
            if seen == n:
                if when == "asked":
                    device.cut_power_now()
                    return []
                device.cut_power_at(device.time + 0.004)
        return [message]

    served.gateway.tamper = tampered
    served.gateway.offer(ATTEMPT, served.target, full)
    device.power_on()
    if kind == "opening":  # each start opens one session
        for _ in range(n - 1):
            served.wait_for_reports(1)
            device.power_off()
            device.power_on()
    device.run_until(lambda: not device.powered, 60.0, poll=0.002)
    assert seen == n
    assert not device.powered
    served.assert_confirmed(ATTEMPT)
    assert_nothing_counted_twice(served)


def assert_nothing_counted_twice(served: Served) -> None:
    """Outcomes are of one attempt, and each is counted under its attempt once; report ids are of one report each."""
    assert [attempt for attempt, _, _ in served.gateway.outcomes()] == [0, ATTEMPT]
    for kind in ("logs", "crash"):
        told = [part for report in served.server.reports if (part := getattr(report, kind)) is not None]
        texts: dict[int, set[str]] = {}
        for part in told:
            what = "".join(line.text for line in part.lines) if kind == "logs" else repr(part)
            texts.setdefault(part.report_id, set()).add(what)
        assert all(len(ways) == 1 for ways in texts.values())


@pytest.mark.parametrize("part", range(2))
@BothModes
def test_power_cut_at_a_flash_operation_is_recovered_from(served: Served, mode: CutMode, part: int) -> None:
    """Of counters, records of the boot log, checkpoints, and the image of a small patch."""
    offer_small(served)
    served.assert_confirmed(ATTEMPT)
    operations = served.device.counters.flash_operations
    draw = random.Random(hashlib.sha256(f"{mode} {part}".encode()).digest())
    ends = [draw.randrange(1, 40), operations - draw.randrange(1, 60)]
    for n in [*ends, *(draw.randrange(1, operations) for _ in range(3))]:
        begin_anew(served)
        served.device.cut_power_at_flash_operation(n, mode)
        served.device.run_until(lambda: not served.device.powered, 60.0)
        assert not served.device.powered, n
        served.assert_confirmed(ATTEMPT)
        assert_nothing_counted_twice(served)


@BothModesInFull
def test_no_byte_before_the_last_checkpoint_is_fetched_again(served: Served, full: Patch, mode: CutMode) -> None:
    served.gateway.offer(ATTEMPT, served.target, full)
    served.assert_confirmed(ATTEMPT)
    operations = served.device.counters.flash_operations
    draw = random.Random(mode.name)
    spared = []
    for n in [draw.randrange(operations // 4, operations) for _ in range(6)]:
        begin_anew(served, full)
        served.device.cut_power_at_flash_operation(n, mode)
        served.device.run_until(lambda: not served.device.powered, 60.0)
        assert not served.device.powered, n
        spared.append(served.board.checkpoint_off(full))
        before = len(served.gateway.fetched)
        served.assert_confirmed(ATTEMPT)
        offsets = [fetch.offset for fetch in served.gateway.fetched[before:]]
        assert not offsets or offsets[0] == min(offsets) == spared[-1]
        assert_nothing_counted_twice(served)
    assert sum(offset > 0 for offset in spared) >= 3


def begin_anew(served: Served, patch: Patch | None = None) -> None:
    """From the factory, with an offer of this patch, or of a small one."""
    served.device.power_off()
    served.reset()
    served.gateway.offer(ATTEMPT, served.target, patch or small_patch(served))
    served.device.power_on()
