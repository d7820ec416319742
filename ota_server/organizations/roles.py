# SPDX-License-Identifier: Apache-2.0
"""What each role may do: the whole table, and nothing else decides it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum, auto


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


class Permission(Enum):
    """What a route may need."""

    VIEW = auto()
    """See products, devices, releases, rollouts and logs, and who is in the team."""
    MANAGE_DEVICES = auto()
    """Name, import, approve and deny devices; call their functions, publish events."""
    CONTROL_FIRMWARE = auto()
    """Upload releases, choose the default, run rollouts, lock devices to a version, mark them as development."""
    MANAGE_PRODUCTS = auto()
    """Make products and change them."""
    MANAGE_TEAM = auto()
    """Rename the organization; invite and remove members, change roles."""
    AUDIT = auto()
    """Read the audit log."""


_EVERYTHING = frozenset(Permission)

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: _EVERYTHING,
    Role.DEVELOPER: _EVERYTHING - {Permission.MANAGE_TEAM, Permission.AUDIT},
    Role.SUPPORT: frozenset({Permission.VIEW, Permission.MANAGE_DEVICES}),
    Role.VIEW_ONLY: frozenset({Permission.VIEW}),
}
"""docs/howto/server.md shows this table; a test compares them."""
