# SPDX-License-Identifier: Apache-2.0
"""A rollout as the fields of the wizard's forms. They stand in the address, so that loading it again loses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from ota_server.dashboard.cohort_form import CohortForm
from ota_server.dashboard.forms import share, version_number, whole
from ota_server.errors import Invalid
from ota_server.numbers import digits
from ota_server.rollouts import service
from ota_server.rollouts.cohort import Cohort
from ota_server.rollouts.gate import RATES, Gate
from ota_server.rollouts.models import Rollout, Stage
from ota_server.rollouts.schedule import Schedule
from ota_server.rollouts.service import NewStage
from ota_server.rollouts.windows import DAYS
from ota_server.times import rfc3339

STEPS = ("release", "cohort", "stages", "schedule", "check")
STAGES_MAX = 10
WINDOWS_MAX = 3
NAME_MAX = 200
TEXT_MAX = 200
HOUR_S = 3600

_OF_STAGE = ("percent", "confirmed", "soak", "failures", *RATES, "worse", "role", "people")
_OF_SCHEDULE = ("start", "zone", "per_minute", "priority", "deadline", "postpone")
_FIRST = (5, 25, 100)
"""Percent of the stages that are proposed."""


@dataclass(frozen=True, slots=True)
class RolloutForm:
    """What was typed so far, by the names of the inputs; those that are empty are not in it."""

    given: Mapping[str, str]
    cohort: CohortForm = field(default_factory=CohortForm)

    @classmethod
    def of_fields(cls, given: Mapping[str, str]) -> RolloutForm:
        """What came, cut to its bounds."""
        cohort = CohortForm.of_fields(given)
        kept = {name: given.get(name, "")[:TEXT_MAX].strip() for name in ("version", "name", "stages", *_OF_SCHEDULE)}
        for number in range(1, STAGES_MAX + 1):
            kept |= {f"{name}{number}": given.get(f"{name}{number}", "")[:TEXT_MAX].strip() for name in _OF_STAGE}
        for number in range(1, WINDOWS_MAX + 1):
            names = (f"from{number}", f"to{number}", *(f"{day.value}{number}" for day in DAYS))
            kept |= {name: given.get(name, "")[:TEXT_MAX].strip() for name in names}
        return cls({name: value for name, value in kept.items() if value}, cohort)

    def proposed(self, devices: int | None) -> RolloutForm:
        """The same with stages, for who has said nothing of them. `devices`: of the cohort, where that is known."""
        made = {"stages": str(len(_FIRST))}
        for number, percent in enumerate(_FIRST, 1):
            most_of_them = 1 if devices is None else max(1, devices * percent * 4 // 500)
            values = {"percent": percent, "confirmed": most_of_them, "soak": 24, "failures": 0}
            made |= {f"{name}{number}": str(value) for name, value in values.items()}
        return replace(self, given={**self.given, **made})

    def __getitem__(self, name: str) -> str:
        return self.given.get(name, "")

    @property
    def stages(self) -> int:
        """How many stages have inputs."""
        return min(digits(self["stages"], 999, 1) or 1, STAGES_MAX)

    def fields(self) -> dict[str, str]:
        """All that is to be carried on."""
        return {**self.given, **self.cohort.fields()}

    def carried(self, step: str) -> dict[str, str]:
        """What the inputs of a step do not have."""
        if step == "cohort":
            return dict(self.given)
        return {name: value for name, value in self.fields().items() if _step_of(name) != step}

    def query(self, step: str) -> str:
        """The address of a step with all that was typed, relative to the wizard's."""
        return "?" + urlencode({"step": step, **self.fields()})

    # What it means. Each raises Invalid with the name of an input.

    def version(self) -> int:
        return version_number(self["version"], "version", "choose a release")

    def new_stages(self, cohort: Cohort) -> list[NewStage]:
        found: list[NewStage] = []
        for number in range(1, self.stages + 1):
            if not self[f"percent{number}"]:
                continue
            percent = self._number(f"percent{number}", "percent", 100)
            stage = NewStage(percent, self._gate(number), cohort)
            try:
                service.check_stages([*found, stage])
            except Invalid as error:
                is_count = "min_confirmed" in str(error)
                words = "as many as the stage before needs, or more" if is_count else "more than the stage before"
                raise Invalid(words, f"{'confirmed' if is_count else 'percent'}{number}") from error
            found.append(stage)
        if not found:
            raise Invalid("a rollout has one stage at least", "percent1")
        return found

    def schedule(self) -> Schedule:
        made: dict[str, object] = {
            "start_at": self._time("start"),
            "deadline": self._time("deadline"),
            "windows": [one for one in map(self._window, range(1, WINDOWS_MAX + 1)) if one is not None],
            "time_zone": self["zone"] or None,
            "priority": self["priority"] or None,
        }
        if self["per_minute"]:
            made["per_minute"] = self._number("per_minute", "devices a minute", 1_000_000)
        if self["postpone"]:
            made["consent"] = {"postpone_max_s": HOUR_S * self._number("postpone", "hours", 720)}
        names = {"start_at": "start", "time_zone": "zone", "windows": "from1", "consent": "postpone"}
        try:
            return Schedule.from_json(made)
        except Invalid as error:
            raise Invalid(str(error), names.get(error.field or "", error.field or "start")) from error

    def _gate(self, number: int) -> Gate:
        made: dict[str, object] = {"worse_than_before": bool(self[f"worse{number}"])}
        made["min_confirmed"] = self._number(f"confirmed{number}", "confirmed boots", 2**31 - 1)
        if self[f"soak{number}"]:
            made["soak_s"] = HOUR_S * self._number(f"soak{number}", "hours", 2160, least=0)
        failures = self[f"failures{number}"]
        made["max_failures"] = self._number(f"failures{number}", "failures", 2**31 - 1, least=0) if failures else None
        for rate in RATES:
            made[rate] = share(text, f"{rate}{number}") if (text := self[f"{rate}{number}"]) else None
        if self[f"role{number}"]:
            people = self._number(f"people{number}", "people", 10) if self[f"people{number}"] else 1
            made["approval"] = {"role": self[f"role{number}"], "people": people}
        try:
            return Gate.from_json(made)
        except Invalid as error:
            raise Invalid(str(error), f"role{number}") from error

    def _window(self, number: int) -> dict[str, object] | None:
        begin, end = self[f"from{number}"], self[f"to{number}"]
        if not begin and not end:
            return None
        days = [day.value for day in DAYS if self[f"{day.value}{number}"]]
        window: dict[str, object] = {"from": begin, "to": end, **({"days": days} if days else {})}
        try:
            Schedule.from_json({"windows": [window]})
        except Invalid as error:
            name = error.field if error.field in ("from", "to") else "from"
            raise Invalid(str(error), f"{name}{number}") from error
        return window

    def _time(self, name: str) -> str | None:
        """The input has no offset: it is in UTC, as its label says."""
        text = self[name]
        return f"{text}+00:00" if text else None

    def _number(self, name: str, what: str, most: int, least: int = 1) -> int:
        return whole(self[name], name, most, least, f"{what}: a whole number from {least} to {most:,}")


def fields_of(rollout: Rollout, stages: list[Stage]) -> dict[str, str] | None:
    """A rollout as the wizard's fields; None for one that these cannot hold."""
    schedule = rollout.schedule
    if len(stages) > STAGES_MAX or len({stage.cohort for stage in stages}) > 1 or len(schedule.windows) > WINDOWS_MAX:
        return None
    found = {"version": str(rollout.version), "name": rollout.name, "stages": str(len(stages))}
    for number, stage in enumerate(stages, 1):
        gate = stage.gate
        if gate.soak_s % HOUR_S:
            return None
        values = {
            "percent": stage.percent,
            "confirmed": gate.min_confirmed,
            "soak": gate.soak_s // HOUR_S,
            "failures": gate.max_failures,
            **{rate: None if (share := getattr(gate, rate)) is None else f"{100 * share:.6g}" for rate in RATES},
            "worse": "on" if gate.worse_than_before else None,
            "role": None if gate.approval is None else gate.approval.role.value,
            "people": None if gate.approval is None else gate.approval.people,
        }
        found |= {f"{name}{number}": str(value) for name, value in values.items() if value is not None}
    for number, window in enumerate(schedule.windows, 1):
        shown = window.to_json()
        found |= {f"from{number}": str(shown["from"]), f"to{number}": str(shown["to"])}
        found |= {f"{day.value}{number}": "on" for day in window.days}
    found |= {"zone": schedule.time_zone, "priority": schedule.priority.value}
    for name, at_ms in (("start", schedule.start_ms), ("deadline", schedule.deadline_ms)):
        found |= {} if at_ms is None else {name: rfc3339(at_ms)[:16]}
    found |= {} if schedule.per_minute is None else {"per_minute": str(schedule.per_minute)}
    if schedule.postpone_max_s is not None:
        if schedule.postpone_max_s % HOUR_S:
            return None
        found["postpone"] = str(schedule.postpone_max_s // HOUR_S)
    return {**found, **CohortForm.of_cohort(stages[0].cohort).fields()}


def _step_of(name: str) -> str:
    """The step whose inputs have one of this name; those of the cohort are told apart otherwise."""
    stem = name.rstrip("0123456789")
    if stem in ("version", "name"):
        return "release"
    if stem == "stages" or stem in _OF_STAGE:
        return "stages"
    return "schedule" if name in _OF_SCHEDULE or stem in ("from", "to", *(day.value for day in DAYS)) else "cohort"
