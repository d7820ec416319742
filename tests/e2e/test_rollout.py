# SPDX-License-Identifier: Apache-2.0
"""Rollouts from the real server to the real firmware: who confirms, who reverts and why, and what people are shown."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from muster.client import ServerClient, Stage
from muster.delta import encode_full
from muster.device.bootlog import Reason, RecordType
from muster.gateway.port import NOT_REACHED, OK, Exchange, ExchangeKind, Reply
from muster.keystore import ONLINE, KeyStore, key_path
from tests.e2e.board import CRASHES, HANGS, NEWER, NEWEST, RESTARTS, SOUND, Victim
from tests.e2e.served import Fleet, Installation, Post, ServedBoard, boards_of, installed, settings_of
from tests.ota_server.test_process import init, process

STRICT = {"percent": 100, "gate": {"min_confirmed": 2, "max_failures": 0}}
SALT = "01" * 16
"""With it one of the first three boards is among the first 40 %."""

NO_CONTACT_TEXT = "no contact with the server before the trial&#39;s deadline"
INTERRUPTED_TEXT = "three trials ended by loss of power"


@pytest.fixture
def fleet(victim: Victim, key_store: KeyStore) -> Iterator[Fleet]:
    with boards_of(victim, key_store) as fleet:
        yield fleet


@pytest.fixture
def installation(tmp_path: Path, fleet: Fleet, key_store: KeyStore) -> Iterator[Installation]:
    with installed(settings_of(tmp_path, key_store), fleet) as installation:
        yield installation


def row(state: str, words: str, why: str) -> str:
    """A row of the table of what went wrong, behind its first column."""
    sign = {"reverted": "↶", "no_contact": "⌁", "interrupted": "↯"}[state]
    mark = f'<span class="state s-{state}"><span class="sign" aria-hidden="true">{sign}</span> {words}</span>'
    return f'<td data-label="What">{mark}</td><td data-label="Why">{why}</td>'


def lose_contact_in_trials(board: ServedBoard, count: int) -> None:
    """The gateway does not reach the server while the board runs its first so many trials."""

    def post(exchange: Exchange) -> Reply:
        is_lost = board.is_on_trial and board.history().count((RecordType.REJECTED, Reason.NO_CONTACT)) < count
        return Reply(NOT_REACHED) if is_lost else board.post_to_server(exchange)

    board.post = post


def cut_power_in_next_trials(installation: Installation, board: ServedBoard) -> None:
    """Three trials in a row end with the power."""
    for count in (1, 2, 3):
        installation.wait(lambda: board.is_on_trial and board.log.facts.trial_count == count)  # noqa: B023  # used at once
        board.device.power_off()


def test_two_stages_reach_all_devices_by_patches_on_confirmed_boots(installation: Installation) -> None:
    boards = [installation.board(seed) for seed in (1, 2, 3)]
    installation.wait(lambda: all(board.count("check-in") >= 2 for board in boards))
    stages = (
        {"percent": 40, "gate": {"min_confirmed": 1, "max_failures": 0}},
        {"percent": 100, "gate": {"min_confirmed": 3, "max_failures": 0}},
    )
    rollout = installation.rollout(NEWER, *stages, salt=SALT)
    installation.wait(lambda: any(board.is_on_trial for board in boards))
    first = [board for board in boards if board.log.facts.attempt is not None]
    assert len(first) == 1
    shown = installation.show(rollout)["rollout"]
    assert (shown["stage"], shown["counters"]["confirmed"]) == (1, 0), "a trial is no confirmed boot"
    for board in boards:
        if board not in first:
            seen = installation.seen(board)
            assert seen["attempts"] == []
            assert any("stage 1, has not reached this device" in ruling["why"] for ruling in seen["trace"])
    installation.wait(lambda: installation.show(rollout)["rollout"]["stage"] == 2)
    assert installation.counters(rollout)["confirmed"] == 1
    installation.wait(lambda: installation.show(rollout)["rollout"]["status"] == "completed")
    target = installation.image(NEWER)
    full_len = len(encode_full(target.raw).raw)
    for board in boards:
        installation.wait(lambda board=board: board.log.facts.outcome is None)  # type: ignore[misc]  # bound at once
        board.assert_confirmed(target)
        seen = installation.seen(board)
        assert (seen["firmware_version"], seen["boot_state"]) == (NEWER, 0)
        (attempt,) = seen["attempts"]
        assert attempt["status"] == "confirmed"
        assert not attempt["is_full"]
        assert attempt["patch_size"] < full_len / 4
        assert board.port.counts.patches == attempt["patch_size"], "every byte of the patch came once"
        assert [kind for kind, _ in board.history()].count(RecordType.TRIAL) == 1
    assert installation.counters(rollout) == {"offered": 3, "confirmed": 3}
    page = installation.page(f"/rollouts/{rollout}")
    assert '<b data-count="confirmed">3</b>' in page
    assert "Completed: 3 confirmed of 3 needed, 0 failures" in page
    assert "Nothing so far." in page


@pytest.mark.parametrize(
    ("version", "reason", "words"),
    [
        (HANGS, Reason.WATCHDOG, "the watchdog reset its trial"),
        (CRASHES, Reason.FAULT, "a processor fault reset its trial"),
        (RESTARTS, Reason.SOFTWARE, "it reset itself during its trial"),
    ],
    ids=["hangs", "crashes", "restarts"],
)
def test_bad_version_is_reverted_by_each_device_and_the_gate_pauses(
    installation: Installation, version: int, reason: Reason, words: str
) -> None:
    board = installation.board_in_session()
    rollout = installation.rollout(version, STRICT)
    installation.wait_for_outcome(board, "reverted")
    board.assert_confirmed(installation.image(SOUND))
    assert (RecordType.REJECTED, reason) in board.history()
    assert RecordType.CONFIRMED not in [kind for kind, _ in board.history()]
    # What people see.
    shown = installation.show(rollout)
    assert shown["rollout"]["status"] == "paused"
    why = "Paused in stage 1: 1 of 1 devices failed (1 reverted, 0 failed in all; limit 0)."
    assert shown["rollout"]["reason"] == why
    assert shown["troubles"] == [{"device": board.id, "kind": "reverted", "reason": words}]
    crashed = {} if version == RESTARTS else {"crashed": 1, "crashed_early": 1}
    assert installation.counters(rollout) == {"offered": 1, "reverted": 1} | crashed
    seen = installation.seen(board)
    assert (seen["firmware_version"], seen["boot_state"]) == (SOUND, 0)
    assert [item["reason"] for item in seen["attempts"]] == [words]
    page = installation.page(f"/rollouts/{rollout}")
    assert why in page
    assert row("reverted", "reverted", words) in page
    assert f"Attempt 1 reverted: {words}." in installation.page(f"/devices/{board.id}")
    assert '<b data-count="reverted">1</b>' in installation.page("")
    # Nobody's patience makes it try again.
    installation.resume(rollout)
    installation.fleet.run(30.0)
    assert len(installation.seen(board)["attempts"]) == 1
    assert "failed on it" in installation.seen(board)["explanation"]
    board.assert_confirmed(installation.image(SOUND))


def test_version_without_contact_pauses_the_rollout_at_the_third_try_on_a_device(installation: Installation) -> None:
    board = installation.board_in_session()
    lose_contact_in_trials(board, 3)
    rollout = installation.rollout(NEWER, STRICT)
    for tries in (1, 2, 3):
        installation.wait_for_outcome(board, *tries * ["no_contact"])
        counted = {"offered": 1, "no_contact": tries} | ({"failed": 1} if tries == 3 else {})
        assert installation.counters(rollout) == counted
        assert installation.show(rollout)["rollout"]["status"] == ("paused" if tries == 3 else "running")
    board.assert_confirmed(installation.image(SOUND))
    assert board.history().count((RecordType.REJECTED, Reason.NO_CONTACT)) == 3
    assert board.port.counts.patches == installation.seen(board)["attempts"][0]["patch_size"], "downloaded once"
    why = "Paused in stage 1: 1 of 1 devices failed (0 reverted, 1 failed in all; limit 0)."
    assert installation.show(rollout)["rollout"]["reason"] == why
    page = installation.page(f"/rollouts/{rollout}")
    assert why in page
    summed = row("no_contact", "no contact", NO_CONTACT_TEXT)
    assert page.count(summed) == 1
    found = re.search(r'/(devices\?reason=no_contact\.\d+)" [^>]*>3</a></td>' + re.escape(summed), page)
    assert found is not None, "the sum of three times leads to them"
    listed = installation.page(f"/rollouts/{rollout}/{found[1]}")
    assert listed.count(f'<td data-label="Why">{NO_CONTACT_TEXT}</td>') == 3
    device = installation.page(f"/devices/{board.id}")
    assert device.count(f"ended without contact: {NO_CONTACT_TEXT}.") == 3


def test_no_contact_and_interrupted_are_shown_apart_from_failures(installation: Installation) -> None:
    lonely, cut = installation.board(1), installation.board(2)
    installation.wait(lambda: lonely.count("check-in") >= 2 and cut.count("check-in") >= 2)
    lose_contact_in_trials(lonely, 1)
    rollout = installation.rollout(NEWER, STRICT)
    cut_power_in_next_trials(installation, cut)
    # The next tries go well.
    installation.wait_for_outcome(cut, "interrupted", "confirmed")
    installation.wait_for_outcome(lonely, "no_contact", "confirmed")
    for board in (lonely, cut):
        board.assert_confirmed(installation.image(NEWER))
    assert (RecordType.INTERRUPTED, Reason.POWER) in cut.history()
    assert (RecordType.REJECTED, Reason.NO_CONTACT) in lonely.history()
    assert installation.counters(rollout) == {"offered": 2, "confirmed": 2, "no_contact": 1, "interrupted": 1}
    shown = installation.show(rollout)
    assert shown["rollout"]["status"] == "completed"
    kinds = {item["device"]: (item["kind"], item["reason"]) for item in shown["troubles"]}
    assert kinds[lonely.id][0] == "no_contact"
    assert kinds[cut.id] == ("interrupted", INTERRUPTED_TEXT)
    for path in ("", f"/rollouts/{rollout}"):
        page = installation.page(path)
        assert '<b data-count="failed">0</b>' in page
        assert '<b data-count="reverted">0</b>' in page
        assert '<li><b>1</b> <span class="state s-interrupted">' in page
        assert '<li><b>1</b> <span class="state s-no_contact">' in page
    page = installation.page(f"/rollouts/{rollout}")
    assert row("no_contact", "no contact", NO_CONTACT_TEXT) in page
    assert row("interrupted", "interrupted", INTERRUPTED_TEXT) in page
    assert f"ended without contact: {NO_CONTACT_TEXT}." in installation.page(f"/devices/{lonely.id}")
    assert f"was interrupted: {INTERRUPTED_TEXT}." in installation.page(f"/devices/{cut.id}")


def test_paused_rollout_takes_its_offer_back_and_a_mended_version_reaches_all(installation: Installation) -> None:
    """One device has failed; the other, which was still downloading, keeps what it runs until the mended version."""
    failing, loading = installation.board(1), installation.board(2)
    installation.wait(lambda: failing.count("check-in") >= 2 and loading.count("check-in") >= 2)
    fetch = loading.fetch
    loading.fetch = lambda digest: None  # type: ignore[method-assign]  # not to be had just now
    bad = installation.rollout(CRASHES, STRICT)
    installation.wait_for_outcome(failing, "reverted")
    installation.wait(lambda: [item["status"] for item in installation.seen(loading)["attempts"]] == ["withdrawn"])
    loading.fetch = fetch  # type: ignore[method-assign]
    mended = installation.rollout(NEWEST, STRICT)
    installation.wait(lambda: installation.show(mended)["rollout"]["status"] == "completed")
    for board in (failing, loading):
        board.assert_confirmed(installation.image(NEWEST))
    assert RecordType.REJECTED not in [kind for kind, _ in loading.history()], "it never tried the bad version"
    assert installation.counters(bad) == {"offered": 2, "reverted": 1, "crashed": 1, "crashed_early": 1}
    assert installation.counters(mended) == {"offered": 2, "confirmed": 2}


# kill -9


def outcomes_of(data: Path) -> list[tuple[str, int, str]]:
    """Device id, attempt and kind of every outcome in the database's file."""
    query = "SELECT d.device_id, o.attempt, o.kind FROM outcomes o JOIN devices d ON d.id = o.device_row"
    with closing(sqlite3.connect(data / "muster.sqlite3")) as connection:
        return [(str(name), int(attempt), str(kind)) for name, attempt, kind in connection.execute(query)]


def acknowledged(board: ServedBoard) -> set[tuple[str, int, str]]:
    """Confirmed attempts of which the board knows that the server has counted them."""
    facts = board.log.facts
    if facts.confirmed is None or facts.confirmed.attempt == 0 or facts.outcome is not None:
        return set()
    return {(board.id, facts.confirmed.attempt, "confirmed")}


def tells_of_an_attempt(board: ServedBoard) -> bool:
    outcome = board.log.facts.outcome
    return outcome is not None and outcome.attempt != 0


def test_kill_9_of_the_server_amid_a_fleets_update_loses_nothing_acknowledged(
    tmp_path: Path, fleet: Fleet, key_store: KeyStore
) -> None:
    shutil.copy(key_path(key_store.folder, ONLINE), tmp_path / "online.pem")
    (tmp_path / "keyset.cbor").write_bytes(key_store.keyset().to_bytes())
    data = tmp_path / "data"
    token = init(data)
    boards = [fleet.add(seed, None) for seed in (1, 2, 3)]
    target = fleet.image(NEWER)
    product = target.manifest.product_id

    def done() -> int:
        return sum(bool(acknowledged(board)) for board in boards)

    def kill_at(running: subprocess.Popen[str], is_time: Callable[[ServedBoard], bool], *, is_answered: bool) -> None:
        """Kills the server when a board checks in at that time, before or behind its answer, which gets lost."""

        def killing(board: ServedBoard) -> Post:
            def post_or_kill(exchange: Exchange) -> Reply:
                if running.poll() is not None or exchange.kind is ExchangeKind.OPEN or not is_time(board):
                    return board.post_to_server(exchange)
                if is_answered:
                    assert board.post_to_server(exchange).status == OK
                running.kill()
                running.wait()
                return board.post_to_server(exchange)

            return post_or_kill

        for board in boards:
            board.post = killing(board)
        fleet.wait(lambda: running.poll() is not None, 36_000.0)
        fleet.run(5.0)  # without a server

    with process(data) as (running, client), ServerClient(str(client.base_url), token) as api:
        api.create_product(product, "Victim", check_in_interval_s=5, auto_approve=True)
        api.publish(fleet.image(SOUND).raw, product)
        api.publish(target.raw, product)
        fleet.move_to(client)
        fleet.wait(lambda: all(board.count("check-in") >= 2 for board in boards))
        rollout = api.create_rollout(product, NEWER, [Stage(100, len(boards), 0)])["id"]
        assert isinstance(rollout, int)
        api.move_rollout(product, rollout, "start")
        kill_at(running, lambda board: board.is_on_trial, is_answered=False)
    assert outcomes_of(data) == []
    with process(data) as (running, client):
        fleet.move_to(client)
        kill_at(running, tells_of_an_attempt, is_answered=True)
    assert len(outcomes_of(data)) >= 1
    for board in boards:
        assert acknowledged(board) <= set(outcomes_of(data))
    with process(data) as (running, client):
        fleet.move_to(client)
        kill_at(running, lambda board: bool(acknowledged(board)), is_answered=True)
    for board in boards:
        assert acknowledged(board) <= set(outcomes_of(data))
    with process(data) as (_, client), ServerClient(str(client.base_url), token) as api:
        fleet.move_to(client)
        fleet.wait(lambda: done() == len(boards), 36_000.0)
        for board in boards:
            board.assert_confirmed(target)
            seen = api.device(product, board.id)
            assert (seen["firmware_version"], seen["boot_state"]) == (NEWER, 0)
        shown = api.rollout(product, rollout)["rollout"]
        assert isinstance(shown, dict)
        assert shown["status"] == "completed"
        assert shown["counters"]["confirmed"] == shown["counters"]["offered"] == len(boards)
    counted = outcomes_of(data)
    assert len({(name, attempt) for name, attempt, _ in counted}) == len(counted)
    assert sorted(name for name, _, kind in counted if kind == "confirmed") == sorted(board.id for board in boards)
