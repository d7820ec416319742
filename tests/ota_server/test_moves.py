# SPDX-License-Identifier: Apache-2.0
"""Status columns move only as their tables, and the page about them, say."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from ota_server.devices.models import DEVICE_MOVES, DeviceStatus
from ota_server.errors import Conflict
from ota_server.mail.models import MAIL_MOVES, MailStatus
from ota_server.moves import Moves, check_move
from ota_server.releases.models import PATCH_MOVES, PatchStatus
from ota_server.rollouts.models import ATTEMPT_MOVES, ROLLOUT_MOVES, AttemptStatus, RolloutStatus
from ota_server.webhooks.models import DELIVERY_MOVES, DeliveryStatus

TABLES: list[tuple[str, type[StrEnum], Moves[StrEnum]]] = [
    ("rollout", RolloutStatus, ROLLOUT_MOVES),  # type: ignore[list-item]  # Mapping is invariant in its key
    ("device", DeviceStatus, DEVICE_MOVES),  # type: ignore[list-item]
    ("patch", PatchStatus, PATCH_MOVES),  # type: ignore[list-item]
    ("mail", MailStatus, MAIL_MOVES),  # type: ignore[list-item]
    ("delivery", DeliveryStatus, DELIVERY_MOVES),  # type: ignore[list-item]
    ("attempt", AttemptStatus, ATTEMPT_MOVES),  # type: ignore[list-item]
]

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "server.md"


@pytest.mark.parametrize(("name", "statuses", "moves"), TABLES)
def test_every_pair_is_allowed_or_refused_as_the_table_says(
    name: str, statuses: type[StrEnum], moves: Moves[StrEnum]
) -> None:
    assert set(moves) == set(statuses)
    for before in statuses:
        for after in statuses:
            if after in moves[before]:
                check_move(moves, name, before, after)
            else:
                with pytest.raises(Conflict, match=f"is {before} and cannot become {after}"):
                    check_move(moves, name, before, after)


@pytest.mark.parametrize(("name", "statuses", "moves"), TABLES)
def test_the_page_has_the_same_table(name: str, statuses: type[StrEnum], moves: Moves[StrEnum]) -> None:
    rows = re.findall(rf"^\| {name} \| (\w+) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    told = {before: set(after.replace(",", "").split()) - {"nothing"} for before, after in rows}
    assert told == {before.value: {after.value for after in moves[before]} for before in statuses}
