# SPDX-License-Identifier: Apache-2.0
"""Where the pages of a product and of an organization are: for the side bar's links, and for the search."""

from __future__ import annotations

from typing import NamedTuple

from ota_server.organizations.roles import Permission


class Place(NamedTuple):
    """A page.

    Attributes:
        name: what the page's template sets `here` to.
        path: below the product's or organization's own path.
        needs: who may not do this is not shown the way there.
    """

    name: str
    path: str
    words: str
    needs: Permission = Permission.VIEW


OF_PRODUCT: tuple[Place, ...] = (
    Place("overview", "", "Overview"),
    Place("devices", "/devices", "Devices", Permission.VIEW_DEVICES),
    Place("releases", "/releases", "Releases", Permission.VIEW_FIRMWARE),
    Place("rollouts", "/rollouts", "Rollouts"),
    Place("log", "/log", "Log"),
    Place("customers", "/customers", "Customers", Permission.VIEW_CUSTOMERS),
    Place("settings", "/settings", "Settings", Permission.MANAGE_PRODUCTS),
)
BEHIND_SETTINGS: tuple[Place, ...] = (
    Place("webhooks", "/webhooks", "Webhooks", Permission.MANAGE_PRODUCTS),
    Place("clients", "/clients", "OAuth clients", Permission.MANAGE_PRODUCTS),
)
"""Of a product, too: tabs of its settings, which the side bar does not show."""
OF_ACCOUNT: tuple[Place, ...] = (
    Place("account", "", "Your account"),
    Place("tokens", "/tokens", "Access tokens"),
    Place("browsers", "/browsers", "Browsers"),
    Place("clients", "/clients", "Your OAuth clients"),
)
"""Tabs of /account; anybody may go there."""
OF_ORGANIZATION: tuple[Place, ...] = (
    Place("organization", "", "Overview"),
    Place("team", "/team", "Team", Permission.VIEW_TEAM),
    Place("audit", "/audit", "Audit", Permission.AUDIT),
    Place("usage", "/usage", "Usage"),
    Place("settings", "/settings", "Organization settings"),
)
