# SPDX-License-Identifier: Apache-2.0
"""Every route, and what it takes to use it. A route that is not in here fails a test."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ota_server.organizations.roles import Permission
from tests.ota_server import keys
from tests.ota_server.conftest import ORGANIZATION

ORG = "warm-rooms"
PRODUCT = f"/products/{keys.PRODUCT}"
DEVICE = "0123456789abcdef01234567"
CLAIMED = "0123456789abcdef01234568"
REMOVED = "0123456789abcdef01234569"
OWNED = "0123456789abcdef0123456a"
STAGES = [{"percent": 100, "gate": {"min_confirmed": 1, "max_failures": 0}}]
P = Permission


@dataclass(frozen=True)
class Call:
    """A request that succeeds, or fails for what it asks, when an administrator makes it.

    Attributes:
        needs: None where any account may.
        ends_token: whether the token of the request is none afterwards.
        is_personal: whether it concerns the account itself, so that a token with scopes is not enough.
        hands_out: whether it gives others what one scope alone does not let its holder do.
    """

    needs: Permission | None
    path: str
    arguments: dict[str, Any] = field(default_factory=dict)
    ends_token: bool = False
    is_personal: bool = False
    hands_out: bool = False


def _json(**fields: Any) -> dict[str, Any]:
    return {"json": fields}


def _team(route: str, path: str) -> dict[str, Call]:
    """A team's routes are those of an organization, or of one of its products."""
    member, role = f"{path}/team/support@example.com", _json(role="support")
    new = _json(username="new@example.com")
    return {
        f"GET {route}/team": Call(P.VIEW_TEAM, f"{path}/team"),
        f"POST {route}/team": Call(P.MANAGE_TEAM, f"{path}/team", new, hands_out=True),
        f"POST {route}/team/{{username}}": Call(P.MANAGE_TEAM, member, role, hands_out=True),
        f"PUT {route}/team/{{username}}": Call(P.MANAGE_TEAM, member, role, hands_out=True),
        f"DELETE {route}/team/{{username}}": Call(P.MANAGE_TEAM, f"{path}/team/new@example.com"),
        f"PUT {route}/team/{{username}}/token": Call(P.MANAGE_TEAM, f"{path}/team/none/token"),
    }


CALLS = {
    "GET /access_tokens": Call(None, "/access_tokens", is_personal=True),
    "POST /access_tokens": Call(None, "/access_tokens", _json(label="ci"), is_personal=True),
    "GET /access_tokens/current": Call(None, "/access_tokens/current"),
    "DELETE /access_tokens/current": Call(None, "/access_tokens/current", ends_token=True),
    "DELETE /access_tokens": Call(None, "/access_tokens", ends_token=True, is_personal=True),
    "DELETE /access_tokens/id/{number}": Call(None, "/access_tokens/id/0", is_personal=True),
    "GET /user": Call(None, "/user"),
    "PUT /user": Call(None, "/user", _json(account_info={"first_name": "Ana"}), is_personal=True),
    "DELETE /user": Call(None, "/user", _json(password="guessed"), is_personal=True),
    "GET /user/mfa-enable": Call(None, "/user/mfa-enable", is_personal=True),
    "POST /user/mfa-enable": Call(None, "/user/mfa-enable", _json(mfa_token="0", otp="0"), is_personal=True),
    "PUT /user/mfa-disable": Call(None, "/user/mfa-disable", _json(current_password="guessed"), is_personal=True),
    "PUT /user/mfa-recovery-codes": Call(
        None, "/user/mfa-recovery-codes", _json(current_password="guessed"), is_personal=True
    ),
    "GET /user/browsers": Call(None, "/user/browsers", is_personal=True),
    "DELETE /user/browsers": Call(None, "/user/browsers", is_personal=True),
    "DELETE /user/browsers/{number}": Call(None, "/user/browsers/0", is_personal=True),
    "GET /user/invitations": Call(None, "/user/invitations", is_personal=True),
    "POST /user/invitations/{organization}": Call(None, "/user/invitations/none", _json(accept=True), is_personal=True),
    "GET /orgs": Call(None, "/orgs"),
    "POST /orgs": Call(None, "/orgs", _json(organization={"name": "Cold Rooms"}), is_personal=True),
    "GET /products": Call(None, "/products"),
    "GET /user/products": Call(None, "/user/products"),
    "GET /orgs/{organization}": Call(P.VIEW, f"/orgs/{ORG}"),
    "PUT /orgs/{organization}": Call(P.MANAGE_TEAM, f"/orgs/{ORG}", _json(name=ORGANIZATION)),
    "PUT /orgs/{organization}/owner": Call(
        P.MANAGE_TEAM, f"/orgs/{ORG}/owner", _json(username="support@example.com"), is_personal=True
    ),
    "GET /orgs/{organization}/usage": Call(P.VIEW, f"/orgs/{ORG}/usage"),
    "GET /orgs/{organization}/usage.csv": Call(P.VIEW, f"/orgs/{ORG}/usage.csv"),
    "GET /orgs/{organization}/branding": Call(P.VIEW, f"/orgs/{ORG}/branding"),
    "PUT /orgs/{organization}/branding": Call(P.MANAGE_TEAM, f"/orgs/{ORG}/branding", _json(name="Warm")),
    "PUT /orgs/{organization}/branding/logo": Call(
        P.MANAGE_TEAM, f"/orgs/{ORG}/branding/logo", {"files": {"file": ("logo.png", b"none")}}
    ),
    "DELETE /orgs/{organization}/branding/logo": Call(P.MANAGE_TEAM, f"/orgs/{ORG}/branding/logo"),
    "GET /orgs/{organization}/products": Call(P.VIEW, f"/orgs/{ORG}/products"),
    "GET /orgs/{organization}/audit": Call(P.AUDIT, f"/orgs/{ORG}/audit"),
    **_team("/orgs/{organization}", f"/orgs/{ORG}"),
    "POST /products": Call(P.MANAGE_PRODUCTS, "/products", _json(product={"id": 7, "name": "Seven", "org": ORG})),
    "GET /products/{product}": Call(P.VIEW, PRODUCT),
    "PUT /products/{product}": Call(P.MANAGE_PRODUCTS, PRODUCT, _json(product={"description": "warm"})),
    "DELETE /products/{product}": Call(P.MANAGE_PRODUCTS, PRODUCT),
    "GET /products/{product}/figures": Call(P.VIEW, f"{PRODUCT}/figures"),
    "GET /products/{product}/log": Call(P.VIEW_DEVICES, f"{PRODUCT}/log"),
    **_team("/products/{product}", PRODUCT),
    "GET /products/{product}/customers": Call(P.VIEW_CUSTOMERS, f"{PRODUCT}/customers"),
    "GET /products/{product}/customers/{email}": Call(P.VIEW_CUSTOMERS, f"{PRODUCT}/customers/nobody@example.com"),
    "PUT /products/{product}/customers/{email}": Call(
        P.MANAGE_CUSTOMERS, f"{PRODUCT}/customers/nobody@example.com", _json(password="a good password")
    ),
    "DELETE /products/{product}/customers/{email}": Call(P.MANAGE_CUSTOMERS, f"{PRODUCT}/customers/nobody@example.com"),
    "GET /clients": Call(None, "/clients", is_personal=True),
    "POST /clients": Call(None, "/clients", _json(name="App", type="installed"), is_personal=True),
    "PUT /clients/{client}": Call(None, "/clients/none", _json(name="App"), is_personal=True),
    "PUT /clients/{client}/secret": Call(None, "/clients/none/secret", is_personal=True),
    "DELETE /clients/{client}": Call(None, "/clients/none", is_personal=True),
    "GET /products/{product}/clients": Call(P.VIEW, f"{PRODUCT}/clients"),
    "POST /products/{product}/clients": Call(
        P.MANAGE_PRODUCTS, f"{PRODUCT}/clients", _json(name="App", type="installed", scope="create_customer")
    ),
    "PUT /products/{product}/clients/{client}": Call(P.MANAGE_PRODUCTS, f"{PRODUCT}/clients/none", _json(name="App")),
    "PUT /products/{product}/clients/{client}/secret": Call(P.MANAGE_PRODUCTS, f"{PRODUCT}/clients/none/secret"),
    "DELETE /products/{product}/clients/{client}": Call(P.MANAGE_PRODUCTS, f"{PRODUCT}/clients/none"),
    "GET /products/{product}/devices": Call(P.VIEW_DEVICES, f"{PRODUCT}/devices"),
    "POST /products/{product}/devices": Call(P.MANAGE_DEVICES, f"{PRODUCT}/devices", _json(id=DEVICE)),
    "PUT /products/{product}/devices": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/devices", _json(action="groups", devices=[DEVICE], metadata={"add": ["beta"]})
    ),
    "PUT /products/{product}/devices/{device} groups": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/devices/{DEVICE}", _json(groups=["beta"])
    ),
    "GET /products/{product}/devices/{device}/explain": Call(P.VIEW_DEVICES, f"{PRODUCT}/devices/{DEVICE}/explain"),
    "GET /products/{product}/groups": Call(P.VIEW, f"{PRODUCT}/groups"),
    "POST /products/{product}/groups": Call(P.CONTROL_FIRMWARE, f"{PRODUCT}/groups", _json(name="beta")),
    "GET /products/{product}/groups/{group}": Call(P.VIEW, f"{PRODUCT}/groups/beta"),
    "PUT /products/{product}/groups/{group}": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/groups/beta", _json(color="#00ff00")
    ),
    "DELETE /products/{product}/groups/{group}": Call(P.CONTROL_FIRMWARE, f"{PRODUCT}/groups/none"),
    "GET /products/{product}/devices/{device}": Call(P.VIEW_DEVICES, f"{PRODUCT}/devices/{DEVICE}"),
    "PUT /products/{product}/devices/{device}": Call(
        P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}", _json(name="kitchen")
    ),
    "PUT /products/{product}/devices/{device} signal": Call(
        P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}", _json(signal="1")
    ),
    "PUT /products/{product}/devices/{device} development": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/devices/{DEVICE}", _json(development=True)
    ),
    "PUT /products/{product}/devices/{device} lock": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/devices/{DEVICE}", _json(name="kitchen", desired_firmware_version=None)
    ),
    "PUT /products/{product}/devices/{device} flash": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/devices/{DEVICE}", {"files": {"file": ("/a/b.bin", keys.image(1).raw)}}
    ),
    "DELETE /products/{product}/devices/{device} remove": Call(P.MANAGE_DEVICES, f"{PRODUCT}/devices/{REMOVED}"),
    "DELETE /products/{product}/devices/{device}": Call(
        P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}", _json(deny=True)
    ),
    "POST /products/{product}/devices/{device}/approve": Call(P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}/approve"),
    "DELETE /products/{product}/devices/{device}/owner": Call(P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}/owner"),
    "POST /products/{product}/device_claims": Call(P.MANAGE_DEVICES, f"{PRODUCT}/device_claims", is_personal=True),
    "POST /device_claims": Call(None, "/device_claims", is_personal=True),
    "GET /devices": Call(None, "/devices"),
    "POST /devices": Call(P.MANAGE_DEVICES, "/devices", _json(id=CLAIMED), is_personal=True),
    "POST /devices provision": Call(P.MANAGE_DEVICES, "/devices", _json(product_id=keys.PRODUCT)),
    "GET /devices/{device}": Call(None, f"/devices/{DEVICE}"),
    "PUT /devices/{device}": Call(None, f"/devices/{DEVICE}", _json(name="kitchen")),
    "PUT /devices/{device} signal": Call(P.MANAGE_DEVICES, f"/devices/{DEVICE}", _json(signal="1")),
    "PUT /devices/{device}/ping": Call(None, f"/devices/{DEVICE}/ping"),
    "DELETE /devices/{device}": Call(None, f"/devices/{DEVICE}"),
    "GET /serial_numbers/{serial_number}": Call(None, "/serial_numbers/S1"),
    **{
        f"{method} {path}{rest}": Call(P.MANAGE_PRODUCTS, f"{filled}{rest.replace('{webhook}', '0')}{query}", arguments)
        for path, filled, query in (
            ("/webhooks", "/webhooks", f"?org={ORG}"),
            ("/products/{product}/webhooks", f"{PRODUCT}/webhooks", ""),
        )
        for method, rest, arguments in (
            ("GET", "", {}),
            ("POST", "", _json(event="spark/", url="http://example.com/")),
            ("GET", "/{webhook}", {}),
            ("POST", "/{webhook}/enable", {}),
            ("DELETE", "/{webhook}", {}),
        )
    },
    "POST /devices/events": Call(P.MANAGE_DEVICES, "/devices/events", _json(name="here", org=ORG)),
    "POST /products/{product}/events": Call(P.MANAGE_DEVICES, f"{PRODUCT}/events", _json(name="here")),
    **{
        f"GET {path}{rest}": Call(needs, f"{filled}{rest.replace('{prefix}', 'temperature')}")
        for path, needs, filled in (
            ("/events", None, "/events"),
            ("/devices/events", None, "/devices/events"),
            ("/devices/{device}/events", P.VIEW_DEVICES, f"/devices/{DEVICE}/events"),
            ("/orgs/{organization}/events", P.VIEW_DEVICES, f"/orgs/{ORG}/events"),
            ("/products/{product}/events", P.VIEW_DEVICES, f"{PRODUCT}/events"),
            ("/products/{product}/devices/{device}/events", P.VIEW_DEVICES, f"{PRODUCT}/devices/{DEVICE}/events"),
        )
        for rest in ("", "/{prefix}")
    },
    "PUT /products/{product}/devices/{device}/watch": Call(
        P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}/watch", _json(seconds=0)
    ),
    "POST /products/{product}/devices/{device}/{function}": Call(P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}/set"),
    "GET /products/{product}/devices/{device}/{variable}": Call(P.VIEW_DEVICES, f"{PRODUCT}/devices/{DEVICE}/level"),
    "POST /devices/{device}/{function}": Call(P.MANAGE_DEVICES, f"/devices/{DEVICE}/set"),
    "GET /devices/{device}/{variable}": Call(P.VIEW_DEVICES, f"/devices/{DEVICE}/level"),
    "GET /products/{product}/firmware": Call(P.VIEW_FIRMWARE, f"{PRODUCT}/firmware"),
    "POST /products/{product}/firmware": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/firmware", {"files": {"file": ("firmware.bin", keys.image(1).raw)}}
    ),
    "PUT /products/{product}/firmware/release": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/firmware/release", _json(version=1)
    ),
    "GET /products/{product}/firmware/{version}": Call(P.VIEW_FIRMWARE, f"{PRODUCT}/firmware/1"),
    "GET /products/{product}/firmware/{version}/binary": Call(
        P.VIEW_FIRMWARE, f"{PRODUCT}/firmware/1/binary?platform_id=6"
    ),
    "GET /products/{product}/patches": Call(P.VIEW_FIRMWARE, f"{PRODUCT}/patches"),
    "GET /products/{product}/impact": Call(
        P.VIEW_FIRMWARE, f"{PRODUCT}/impact?firmware_version=1&product_default=true"
    ),
    "PUT /products/{product}/firmware/{version}": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/firmware/1", _json(title="First")
    ),
    "DELETE /products/{product}/firmware/{version}": Call(P.CONTROL_FIRMWARE, f"{PRODUCT}/firmware/1"),
    "GET /products/{product}/cohorts": Call(P.VIEW, f"{PRODUCT}/cohorts"),
    "POST /products/{product}/cohorts": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/cohorts", _json(name="all", cohort={"all": True})
    ),
    "POST /products/{product}/cohorts/preview": Call(
        P.VIEW_DEVICES, f"{PRODUCT}/cohorts/preview", _json(cohort={"all": True})
    ),
    "GET /products/{product}/cohorts/{cohort}": Call(P.VIEW, f"{PRODUCT}/cohorts/all"),
    "PUT /products/{product}/cohorts/{cohort}": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/cohorts/all", _json(description="Every device.")
    ),
    "DELETE /products/{product}/cohorts/{cohort}": Call(P.CONTROL_FIRMWARE, f"{PRODUCT}/cohorts/none"),
    "POST /products/{product}/firmware/{version}/kill": Call(P.CONTROL_FIRMWARE, f"{PRODUCT}/firmware/1/kill"),
    "POST /products/{product}/firmware/{version}/revive": Call(P.REVIVE_FIRMWARE, f"{PRODUCT}/firmware/1/revive"),
    "GET /products/{product}/rollouts": Call(P.VIEW, f"{PRODUCT}/rollouts"),
    "POST /products/{product}/rollouts": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/rollouts", _json(version=1, stages=STAGES)
    ),
    "GET /products/{product}/rollouts/{rollout}": Call(P.VIEW, f"{PRODUCT}/rollouts/1"),
    "GET /products/{product}/rollouts/{rollout}/forecast": Call(P.VIEW, f"{PRODUCT}/rollouts/1/forecast"),
    "POST /products/{product}/rollouts/{rollout}/forecast": Call(P.CONTROL_FIRMWARE, f"{PRODUCT}/rollouts/1/forecast"),
    "GET /products/{product}/rollouts/{rollout}/simulation": Call(P.VIEW, f"{PRODUCT}/rollouts/1/simulation"),
    **{
        f"POST /products/{{product}}/rollouts/{{rollout}}/{verb}": Call(
            P.CONTROL_FIRMWARE, f"{PRODUCT}/rollouts/1/{verb}"
        )
        for verb in ("start", "cancel", "pause", "resume", "approve", "abort")
    },
    "GET /products/{product}/rollouts/{rollout}/roll-back": Call(
        P.VIEW_DEVICES, f"{PRODUCT}/rollouts/1/roll-back?version=1"
    ),
    "POST /products/{product}/rollouts/{rollout}/roll-back": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/rollouts/1/roll-back", _json(version=1)
    ),
    "PUT /products/{product}/rollouts/{rollout}/schedule": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/rollouts/1/schedule", _json(schedule={})
    ),
}

PUBLIC_CALLS = {
    "DELETE /access_tokens/{token}",
    "POST /users",
    "POST /user/verify",
    "POST /user/password-reset",
    "PUT /user/password-reset",
    "POST /products/{product}/customers",
}
"""Whoever knows the token may end it, whoever reads a mail follow its link; anybody may ask for such a mail.

A customer is made by an OAuth client.
"""

OF_CUSTOMERS = {
    "GET /access_tokens/current",
    "DELETE /access_tokens/current",
    "POST /products/{product}/device_claims",
    "POST /device_claims",
    "GET /devices",
    "POST /devices",
    "GET /devices/{device}",
    "PUT /devices/{device}",
    "PUT /devices/{device} signal",
    "PUT /devices/{device}/ping",
    "DELETE /devices/{device}",
    "POST /devices/{device}/{function}",
    "GET /devices/{device}/{variable}",
    "GET /serial_numbers/{serial_number}",
    "GET /events",
    "GET /events/{prefix}",
    "GET /devices/events",
    "GET /devices/events/{prefix}",
    "GET /devices/{device}/events",
    "GET /devices/{device}/events/{prefix}",
}
"""All that a customer may do, each with their own devices only."""

PAGES = {
    "GET /oauth/authorize": None,
    "POST /oauth/authorize": None,
    "GET /": None,
    "GET /search": None,
    "POST /sign-out": None,
    "GET /account": None,
    **{f"POST /account/{form}": None for form in ("names", "email", "password")},
    **{f"POST /account/second-factor{form}": None for form in ("", "/confirm", "/codes", "/off")},
    **{f"{method} /account/delete": None for method in ("GET", "POST")},
    **{f"{method} /account/tokens{path}": None for method in ("GET", "POST") for path in ("", "/{token}/revoke")},
    "GET /account/browsers": None,
    "POST /account/browsers/{browser}/end": None,
    **{
        f"{method} /account/clients{path}": None
        for method in ("GET", "POST")
        for path in ("", "/{client}", "/{client}/remove")
    },
    "POST /account/clients/{client}/secret": None,
    "POST /invitations/{organization}": None,
    "GET /organizations/{organization}": P.VIEW,
    "GET /organizations/{organization}/live/{view}": P.VIEW,
    "GET /organizations/{organization}/team": P.VIEW_TEAM,
    **{f"POST /organizations/{{organization}}/team/{act}": P.MANAGE_TEAM for act in ("invite", "role", "programs")},
    **{f"POST /organizations/{{organization}}/team/{act}": P.MANAGE_TEAM for act in ("token", "remove")},
    "GET /organizations/{organization}/team/remove": P.MANAGE_TEAM,
    **{f"{method} /organizations/{{organization}}/team/owner": P.MANAGE_TEAM for method in ("GET", "POST")},
    "GET /organizations/{organization}/audit": P.AUDIT,
    "GET /new-organization": None,
    "POST /new-organization": None,
    "GET /organizations/{organization}/settings": P.VIEW,
    "POST /organizations/{organization}/settings": P.MANAGE_TEAM,
    "GET /organizations/{organization}/new-product": P.MANAGE_PRODUCTS,
    "POST /organizations/{organization}/new-product": P.MANAGE_PRODUCTS,
    "GET /organizations/{organization}/branding": P.VIEW,
    "POST /organizations/{organization}/branding": P.MANAGE_TEAM,
    "POST /organizations/{organization}/branding/logo": P.MANAGE_TEAM,
    "GET /products/{product}/settings": P.MANAGE_PRODUCTS,
    "POST /products/{product}/settings": P.MANAGE_PRODUCTS,
    "POST /products/{product}/settings/remove": P.MANAGE_PRODUCTS,
    "GET /products/{product}/clients": P.MANAGE_PRODUCTS,
    "POST /products/{product}/clients": P.MANAGE_PRODUCTS,
    **{f"{method} /products/{{product}}/clients/{{client}}": P.MANAGE_PRODUCTS for method in ("GET", "POST")},
    "POST /products/{product}/clients/{client}/secret": P.MANAGE_PRODUCTS,
    "GET /products/{product}/clients/{client}/remove": P.MANAGE_PRODUCTS,
    "POST /products/{product}/clients/{client}/remove": P.MANAGE_PRODUCTS,
    "GET /products/{product}/webhooks": P.MANAGE_PRODUCTS,
    "POST /products/{product}/webhooks": P.MANAGE_PRODUCTS,
    "GET /products/{product}/webhooks/{webhook}": P.MANAGE_PRODUCTS,
    "GET /products/{product}/webhooks/{webhook}/remove": P.MANAGE_PRODUCTS,
    "POST /products/{product}/webhooks/{webhook}/{verb}": P.MANAGE_PRODUCTS,
    "GET /organizations/{organization}/audit.csv": P.AUDIT,
    "GET /organizations/{organization}/usage": P.VIEW,
    "GET /organizations/{organization}/usage.csv": P.VIEW,
    "GET /products/{product}": P.VIEW,
    "GET /products/{product}/devices": P.VIEW,
    "GET /products/{product}/devices.csv": P.VIEW_DEVICES,
    "POST /products/{product}/devices/cohorts": P.CONTROL_FIRMWARE,
    "GET /products/{product}/devices/add": P.MANAGE_DEVICES,
    "POST /products/{product}/devices/add": P.MANAGE_DEVICES,
    "POST /products/{product}/simulated": P.MANAGE_DEVICES,
    "GET /products/{product}/devices/change": P.MANAGE_DEVICES,
    "POST /products/{product}/devices/change": P.MANAGE_DEVICES,
    "GET /products/{product}/devices/{device}": P.VIEW,
    "POST /products/{product}/devices/{device}/approve": P.MANAGE_DEVICES,
    "POST /products/{product}/devices/{device}/call": P.MANAGE_DEVICES,
    "GET /products/{product}/devices/{device}/edit": P.MANAGE_DEVICES,
    "POST /products/{product}/devices/{device}/edit": P.MANAGE_DEVICES,
    "GET /products/{product}/devices/{device}/explain": P.VIEW,
    "GET /products/{product}/customers": P.VIEW_CUSTOMERS,
    "GET /products/{product}/customers/sign-in": P.VIEW_CUSTOMERS,
    "GET /products/{product}/customers/{customer}": P.VIEW_CUSTOMERS,
    "GET /products/{product}/customers/{customer}/remove": P.MANAGE_CUSTOMERS,
    "POST /products/{product}/customers/{customer}/remove": P.MANAGE_CUSTOMERS,
    "POST /products/{product}/customers/{customer}/password": P.MANAGE_CUSTOMERS,
    "GET /products/{product}/log": P.VIEW,
    "GET /products/{product}/releases": P.VIEW_FIRMWARE,
    "GET /products/{product}/releases/upload": P.CONTROL_FIRMWARE,
    "POST /products/{product}/releases/upload": P.CONTROL_FIRMWARE,
    "GET /products/{product}/releases/{version:version}": P.VIEW_FIRMWARE,
    "POST /products/{product}/releases/{version:version}": P.CONTROL_FIRMWARE,
    "GET /products/{product}/releases/{version:version}/images/{platform}.bin": P.VIEW_FIRMWARE,
    "GET /products/{product}/releases/{version:version}/patches/{patch:row}.patch": P.VIEW_FIRMWARE,
    "GET /products/{product}/releases/{version:version}/default": P.CONTROL_FIRMWARE,
    "POST /products/{product}/releases/{version:version}/default": P.CONTROL_FIRMWARE,
    "GET /products/{product}/releases/{version:version}/kill": P.CONTROL_FIRMWARE,
    "POST /products/{product}/releases/{version:version}/kill": P.CONTROL_FIRMWARE,
    "POST /products/{product}/releases/{version:version}/revive": P.REVIVE_FIRMWARE,
    "GET /products/{product}/log.csv": P.VIEW,
    "GET /products/{product}/errors": P.VIEW,
    "GET /products/{product}/rollouts": P.VIEW,
    "GET /products/{product}/rollouts/new": P.CONTROL_FIRMWARE,
    "POST /products/{product}/rollouts/new": P.CONTROL_FIRMWARE,
    "GET /products/{product}/cohorts": P.VIEW,
    "GET /products/{product}/new-cohort": P.CONTROL_FIRMWARE,
    "POST /products/{product}/new-cohort": P.CONTROL_FIRMWARE,
    "GET /products/{product}/cohort-preview": P.VIEW_DEVICES,
    "GET /products/{product}/cohorts/{cohort}": P.VIEW,
    "POST /products/{product}/cohorts/{cohort}": P.CONTROL_FIRMWARE,
    "GET /products/{product}/cohorts/{cohort}/remove": P.CONTROL_FIRMWARE,
    "POST /products/{product}/cohorts/{cohort}/remove": P.CONTROL_FIRMWARE,
    "GET /products/{product}/rollouts/{rollout:row}": P.VIEW,
    "GET /products/{product}/rollouts/{rollout:row}/devices": P.VIEW_DEVICES,
    "GET /products/{product}/rollouts/{rollout:row}/abort": P.CONTROL_FIRMWARE,
    "GET /products/{product}/rollouts/{rollout:row}/roll-back": P.CONTROL_FIRMWARE,
    "POST /products/{product}/rollouts/{rollout:row}/roll-back": P.CONTROL_FIRMWARE,
    "POST /products/{product}/rollouts/{rollout:row}/{verb}": P.CONTROL_FIRMWARE,
    "GET /products/{product}/live/{view}": P.VIEW,
    "GET /products/{product}/live/{view}/{name}": P.VIEW,
}
PUBLIC_PAGES = {
    "GET /set-up",
    "POST /set-up",
    "POST /sign-in/code",
    "GET /brand/colors/{colors}.css",
    "GET /brand/previews/{colors}.css",
    "GET /brand/logos/{digest}.png",
} | {
    f"{method} {at}{path}"
    for at in ("", "/customers/{product}")
    for path in ("/sign-in", "/sign-up", "/verify", "/forgot", "/reset")
    for method in ("GET", "POST")
}

FILLED = {
    "product": "thermostat",
    "organization": ORG,
    "device": DEVICE,
    "rollout": "1",
    "cohort": "all",
    "version": "1",
    "platform": "photon",
    "patch": "1",
    "verb": "pause",
    "view": "overview",
    "name": "x",
    "webhook": "1",
    "client": "none",
    "token": "0",
    "browser": "0",
    "customer": "nobody@example.com",
}
"""What stands in a page's path for its parameters."""


def filled(path: str, **values: str) -> str:
    """A path of a page with other values where these name them. Raises KeyError for a parameter that nothing names."""
    known = FILLED | values
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: known[found[1]], path)
