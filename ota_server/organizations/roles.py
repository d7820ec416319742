# SPDX-License-Identifier: Apache-2.0
"""What each role may do: the whole table, and nothing else decides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from ota_server.errors import Invalid


class Role(StrEnum):
    """A team member's role in one organization."""

    ADMINISTRATOR = "administrator"
    DEVELOPER = "developer"
    SUPPORT = "support"
    VIEW_ONLY = "view-only"

    @property
    def label(self) -> str:
        """As people read it, and as Particle's tools send it."""
        return self.value.capitalize()


class Permission(StrEnum):
    """What a route may need. The value is the scope that lets a token do it, in Particle's style."""

    VIEW = "products:list"
    """See products, groups and rollouts."""
    VIEW_DEVICES = "devices:list"
    """See devices with their history, logs and events."""
    VIEW_FIRMWARE = "firmware:list"
    """See and download releases and patches."""
    VIEW_TEAM = "team:list"
    """See who is in the team."""
    VIEW_CUSTOMERS = "customers:list"
    """See customers, their devices, and when they were last active."""
    MANAGE_DEVICES = "devices:update"
    """Name, import, approve and deny devices; call their functions, publish events."""
    MANAGE_CUSTOMERS = "customers:update"
    """Make and remove customers, set their passwords."""
    CONTROL_FIRMWARE = "firmware:update"
    """Upload releases, choose the default, run rollouts, lock devices to a version, mark them as development."""
    REVIVE_FIRMWARE = "firmware:revive"
    """Let a killed version be offered again."""
    MANAGE_PRODUCTS = "products:update"
    """Make products and change them."""
    MANAGE_TEAM = "team:update"
    """Rename the organization; invite and remove members, change roles."""
    AUDIT = "audit:list"
    """Read the audit log."""


_EVERYTHING = frozenset(Permission)
_VIEWS = frozenset(
    {
        Permission.VIEW,
        Permission.VIEW_DEVICES,
        Permission.VIEW_FIRMWARE,
        Permission.VIEW_TEAM,
        Permission.VIEW_CUSTOMERS,
    }
)

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: _EVERYTHING,
    Role.DEVELOPER: _EVERYTHING - {Permission.MANAGE_TEAM, Permission.AUDIT, Permission.REVIVE_FIRMWARE},
    Role.SUPPORT: _VIEWS | {Permission.MANAGE_DEVICES, Permission.MANAGE_CUSTOMERS},
    Role.VIEW_ONLY: _VIEWS,
}
"""docs/howto/server.md shows this table; a test compares them."""

OF_PRODUCTS = _EVERYTHING - {Permission.MANAGE_TEAM, Permission.AUDIT}
"""What concerns single products: all that a token for one product may be good for."""


def parse_scopes(names: Iterable[str]) -> frozenset[Permission]:
    """Scopes by name. Raises Invalid."""
    try:
        return frozenset(Permission(name) for name in names)
    except ValueError as error:
        raise Invalid(f"a scope is one of {', '.join(Permission)}", "scopes") from error


def scopes_text(scopes: Iterable[Permission]) -> str:
    """As they are kept and told (RFC 6749 section 3.3)."""
    return " ".join(sorted(scopes))
