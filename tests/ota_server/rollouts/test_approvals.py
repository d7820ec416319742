# SPDX-License-Identifier: Apache-2.0
"""Stages that end only when people let them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from ota_server.accounts import service as accounts
from ota_server.organizations import store as organizations
from ota_server.organizations.roles import Role
from tests.ota_server import keys
from tests.ota_server.conftest import Server

ROLLOUTS = f"/products/{keys.PRODUCT}/rollouts"


def join(server: Server, name: str, role: Role = Role.DEVELOPER) -> Server:
    """The same server as another member of the team uses it."""

    def add(connection: Connection) -> str:
        account_id, token = accounts.create_account(connection, f"{name}@example.com", "-", 0)
        organizations.add_member(connection, 1, account_id, role, 0)
        return token

    return replace(server, token=server.services.database.write(add))


def begin(server: Server, approval: dict[str, Any], soak_s: int = 0) -> int:
    """A rollout whose first stage needs a confirmed boot and an approval."""
    gate = {"soak_s": soak_s, "approval": approval}
    return server.rollout(
        2, {"cohort": {"field": "platform", "is": "photon"}, "gate": gate}, {"gate": {"min_confirmed": 100}}
    )


def approve(server: Server, rollout: int, expect: int = 200) -> Any:
    return server.api("POST", f"{ROLLOUTS}/{rollout}/approve", expect)


def stage(server: Server, rollout: int) -> int:
    return int(server.show(rollout)["rollout"]["stage"])


def test_stage_waits_until_two_different_people_have_approved_it(photons: Server) -> None:
    ben = join(photons, "ben")
    rollout = begin(photons, {"people": 2})
    photons.device().update()
    found = photons.show(rollout)["rollout"]
    assert (
        "has its 1 confirmed boots and waits for approval by 2 people (developer or above), 0 so far" in found["gate"]
    )
    approve(photons, rollout)
    assert "you have approved stage 1: it needs somebody else" in approve(photons, rollout, 409)["error"]
    assert stage(photons, rollout) == 1
    assert photons.show(rollout)["rollout"]["gate_distance"][-1] == {"name": "approvals", "count": 1, "limit": 2}
    approve(ben, rollout)
    assert stage(photons, rollout) == 2
    approvals = photons.show(rollout)["rollout"]["approvals"]
    assert [(one["stage"], one["by"]) for one in approvals] == [(1, "ana@example.com"), (1, "ben@example.com")]
    audit = photons.api("GET", "/orgs/warm-rooms/audit?action=rollout.")["audit"][:3]
    assert [(one["action"], one["by"]) for one in audit] == [
        ("rollout.approve", "ben@example.com"),
        ("rollout.advance", ""),
        ("rollout.approve", "ana@example.com"),
    ]


def test_stage_that_an_administrator_approves_is_not_approved_by_a_developer(photons: Server) -> None:
    ben = join(photons, "ben")
    rollout = begin(photons, {"role": "administrator"})
    photons.device().update()
    assert "approved by 1 person (administrator)" in approve(ben, rollout, 403)["error"]
    approve(photons, rollout)
    assert stage(photons, rollout) == 2


def test_programs_approve_nothing(photons: Server) -> None:
    body = {"friendly_name": "robot", "scopes": ["products:list", "firmware:update"]}
    token = photons.api("POST", "/orgs/warm-rooms/team", json=body)["created"]["tokens"][0]["token"]
    rollout = begin(photons, {"people": 1})
    photons.device().update()
    approve(replace(photons, token=token), rollout, 403)
    assert stage(photons, rollout) == 1


def test_nothing_is_approved_before_all_else_is_there(photons: Server) -> None:
    rollout = begin(photons, {"people": 1}, soak_s=60)
    assert "goes on at 1 confirmed, 0 now" in approve(photons, rollout, 409)["error"]
    photons.device().update()
    assert "soaks until" in approve(photons, rollout, 409)["error"]
    photons.clock.advance_s(60)
    approve(photons, rollout)
    assert "nothing waits for approval now" in approve(photons, rollout, 409)["error"]
    assert stage(photons, rollout) == 2


def test_approvals_from_before_a_pause_do_not_count(photons: Server) -> None:
    ben = join(photons, "ben")
    rollout = begin(photons, {"people": 2})
    photons.device().update()
    approve(photons, rollout)
    photons.api("POST", f"{ROLLOUTS}/{rollout}/pause")
    assert "is paused" in approve(ben, rollout, 409)["error"]
    photons.api("POST", f"{ROLLOUTS}/{rollout}/resume")
    approve(ben, rollout)
    assert stage(photons, rollout) == 1
    approve(photons, rollout)
    assert stage(photons, rollout) == 2


def test_member_who_left_approves_nothing_any_more(photons: Server) -> None:
    ben = join(photons, "ben")
    rollout = begin(photons, {"people": 2})
    photons.device().update()
    photons.api("DELETE", "/orgs/warm-rooms/team/ben@example.com")
    approve(ben, rollout, 404)
