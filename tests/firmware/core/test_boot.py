# SPDX-License-Identifier: Apache-2.0
"""The decision table of docs/spec/boot.md section 5 is the specification: it is read here and tried on all facts."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from muster.status import OtaStatus
from tests.firmware.core.machine import Machine

SPEC = Path(__file__).parents[3] / "docs" / "spec" / "boot.md"
REASONS = {"WATCHDOG": 1, "FAULT": 2, "SOFTWARE": 3, "NO_CONTACT": 4, "POWER": 5, "FALLBACK": 6, "RECOVERED": 7}
RESETS = ("power", "watchdog", "fault", "software")
STATES = ("IDLE", "STAGED", "TRIAL")
ACTIONS = ("CHECK_FULL", "CHECK_PINNED", "CONFIRM", "REJECT", "INTERRUPT", "TRIAL", "BOOT", "RECOVERY")
"""In the order of enum ota_boot_action."""

Decision = tuple[str, int | None, int | None]
"""Action, slot (None: any), reason (None: any)."""


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """`status` None: not checked. `order` is (security counter, version)."""

    status: int | None
    order: tuple[int, int] = (0, 0)
    is_attempts: bool = True

    @property
    def is_good(self) -> bool:
        return self.status == 0


@dataclass(frozen=True, slots=True)
class Facts:
    confirmed: int | None
    state: str
    attempt: int
    trials: int
    reset: str
    slots: tuple[SlotFacts, SlotFacts]

    def named_slot(self, name: str) -> int:
        """The slot that the table calls so."""
        if name in ("A", "B"):
            return "AB".index(name)
        if name == "attempt's slot":
            return self.attempt
        assert self.confirmed is not None
        assert name in ("confirmed slot", "other slot"), name
        return self.confirmed if name == "confirmed slot" else 1 - self.confirmed


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table, as text."""

    number: int
    confirmed: str
    state: str
    reset: str
    others: str
    action: str

    def matches(self, facts: Facts) -> bool:
        return (
            self.confirmed == ("none" if facts.confirmed is None else "yes")
            and self._state_matches(facts)
            and self.reset in ("any", facts.reset)
            and self._others_match(facts)
        )

    def _state_matches(self, facts: Facts) -> bool:
        states = {
            "any": STATES,
            "IDLE": ("IDLE",),
            "STAGED or TRIAL": ("STAGED", "TRIAL"),
            "TRIAL": ("TRIAL",),
            "TRIAL, three or more": ("TRIAL",),
        }[self.state]
        return facts.state in states and (not self.state.endswith("three or more") or facts.trials >= 3)

    def _others_match(self, facts: Facts) -> bool:
        match self.others:
            case "":
                return True
            case "A or B good":
                return any(slot.is_good for slot in facts.slots)
            case "the attempt's slot is the confirmed slot":
                return facts.attempt == facts.confirmed
            case "identity in the slot differs from the attempt's":
                return not facts.slots[facts.attempt].is_attempts
        check = re.fullmatch(r"check\((.+)\) (unknown|good|bad)", self.others)
        assert check, self.others
        slot = facts.slots[facts.named_slot(check[1])]
        return {"unknown": slot.status is None, "good": slot.is_good, "bad": slot.status not in (None, 0)}[check[2]]

    def decision(self, facts: Facts) -> Decision:
        """What the last column says about these facts."""
        word = self.action.replace(":", " ").replace("(", " ").replace(",", " ").split()[0]
        assert word in ACTIONS
        return word, self._slot(word, facts), self._reason(facts)

    def _slot(self, word: str, facts: Facts) -> int | None:
        named = re.match(r"CHECK_\w+\((.+)\)$", self.action)
        if named:
            return facts.named_slot(named[1])
        if "highest (security counter, version), A on ties" in self.action:
            good = [number for number, slot in enumerate(facts.slots) if slot.is_good]
            return max(good, key=lambda number: (facts.slots[number].order, -number))
        for name in ("other slot", "confirmed slot"):
            if name in self.action:
                return facts.named_slot(name)
        return facts.attempt if word in ("REJECT", "INTERRUPT", "TRIAL") else None

    def _reason(self, facts: Facts) -> int | None:
        reason = re.search(r"reason (.+)$", self.action)
        if not reason:
            return None
        if reason[1] in REASONS:
            return REASONS[reason[1]]
        if reason[1] == "256 + n":
            return 256 - (facts.slots[facts.attempt].status or 0)
        status = re.fullmatch(r"256 \+ \(-`OTA_(\w+)`\)", reason[1])
        assert status, reason[1]
        return 256 - OtaStatus[status[1]]


def read_table() -> list[Row]:
    section = SPEC.read_text(encoding="utf-8").split("## 5. Boot decision")[1]
    rows = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 6 and cells[0].isdigit():
            rows.append(Row(int(cells[0]), *cells[1:]))
    return rows


TABLE = read_table()


def slot_facts() -> list[SlotFacts]:
    return [
        SlotFacts(None),
        SlotFacts(int(OtaStatus.ERR_HASH)),
        SlotFacts(int(OtaStatus.ERR_SIGNERS)),
        SlotFacts(0, (1, 5)),
        SlotFacts(0, (2, 4)),
        SlotFacts(0, (2, 4), is_attempts=False),
        SlotFacts(0, (2, 6)),
    ]


def all_facts() -> list[Facts]:
    return [
        Facts(confirmed, state, attempt, trials, reset, (a, b))
        for confirmed, state, attempt, trials, reset, a, b in itertools.product(
            (None, 0, 1), STATES, (0, 1), (0, 1, 2, 3, 4), RESETS, slot_facts(), slot_facts()
        )
    ]


def decide(machine: Machine, facts: Facts) -> Decision:
    c_facts = machine.new(
        "struct ota_boot_facts *",
        {
            "has_confirmed": facts.confirmed is not None,
            "confirmed_slot": facts.confirmed or 0,
            "attempt_state": STATES.index(facts.state),
            "attempt_slot": facts.attempt,
            "trial_count": facts.trials,
            "reset": RESETS.index(facts.reset),
            "slots": [
                {
                    "is_checked": slot.status is not None,
                    "check": slot.status or 0,
                    "has_attempt_identity": slot.is_attempts,
                    "security_counter": slot.order[0],
                    "product_version": slot.order[1],
                }
                for slot in facts.slots
            ],
        },
    )
    decision = machine.lib.ota_boot_decide(c_facts)
    return ACTIONS[decision.action], decision.slot, decision.reason


def test_table_has_its_rows_in_order() -> None:
    assert [row.number for row in TABLE] == list(range(1, 19))


def test_every_decision_is_the_tables_first_match(machine: Machine) -> None:
    reached = set()
    for facts in all_facts():
        row = next(row for row in TABLE if row.matches(facts))
        reached.add(row.number)
        action, slot, reason = row.decision(facts)
        found = decide(machine, facts)
        assert found[0] == action, (row.number, facts)
        assert slot is None or found[1] == slot, (row.number, facts)
        assert found[2] == (reason or 0), (row.number, facts)
    assert reached == {row.number for row in TABLE}


@pytest.mark.parametrize("name", ["CHECK_FULL", "CHECK_PINNED", "CONFIRM", "REJECT", "INTERRUPT", "TRIAL", "RECOVERY"])
def test_actions_are_numbered_as_the_test_believes(machine: Machine, name: str) -> None:
    assert getattr(machine.lib, f"OTA_BOOT_{name}") == ACTIONS.index(name)


def test_the_confirmed_slot_is_never_rejected_by_a_check(machine: Machine) -> None:
    """Whatever is tried, the way back to the confirmed image stays open."""
    for facts in all_facts():
        if facts.confirmed is None or facts.attempt == facts.confirmed:
            continue
        action, slot, _ = decide(machine, facts)
        if action in ("TRIAL", "REJECT", "INTERRUPT"):
            assert slot != facts.confirmed
