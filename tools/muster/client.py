# SPDX-License-Identifier: Apache-2.0
"""Talks to a server's management API (docs/howto/server.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from muster.client_answers import JsonObject as JsonObject
from muster.client_answers import ServerRefused as ServerRefused
from muster.client_answers import ServerUnreachable as ServerUnreachable
from muster.client_answers import as_object as _as_object
from muster.client_answers import object_in as _object
from muster.client_answers import objects_in as _objects

TIMEOUT_S = 30.0
CLIENT = "muster"
"""The OAuth client that our own commands are; every server knows it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a rollout: `percent` of a cohort; it ends at `min_confirmed` and pauses above `max_failures`."""

    percent: int
    min_confirmed: int
    max_failures: int

    def to_json(self) -> JsonObject:
        """Of all devices."""
        gate = {"min_confirmed": self.min_confirmed, "max_failures": self.max_failures}
        return {"percent": self.percent, "gate": gate}


class CodeNeeded(ServerRefused):
    """The password is right, and the account has a second factor: a code is missing."""

    def __init__(self, refusal: ServerRefused, mfa_token: str) -> None:
        super().__init__(str(refusal), refusal.http_status, refusal.code)
        self.mfa_token = mfa_token


def sign_in(url: str, email: str, password: str, transport: httpx.BaseTransport | None = None) -> str:
    """Trades an address and a password for an access token (OAuth 2, RFC 6749 section 4.3).

    Raises:
        CodeNeeded: `send_code` must follow.
        ServerUnreachable, ServerRefused: as the methods of ServerClient.
    """
    return _token(url, {"grant_type": "password", "username": email, "password": password}, transport)


def send_code(url: str, mfa_token: str, code: str, transport: httpx.BaseTransport | None = None) -> str:
    """The second half of a sign-in, by a code of the authenticator app or a recovery code. Raises as `sign_in`."""
    return _token(url, {"grant_type": "urn:custom:mfa-otp", "mfa_token": mfa_token, "otp": code}, transport)


def _token(url: str, form: Mapping[str, str], transport: httpx.BaseTransport | None) -> str:
    with httpx.Client(base_url=url.rstrip("/"), timeout=TIMEOUT_S, transport=transport) as http:
        try:
            answer = _answer(http, url, "POST", "/oauth/token", data={"client_id": CLIENT, **form})
        except ServerRefused as error:
            if error.code == "mfa_required":
                raise CodeNeeded(error, str(error.facts.get("mfa_token", ""))) from error
            raise
    return str(_as_object(answer).get("access_token", ""))


class ServerClient:
    """The management API of one server. Every method raises ServerUnreachable or ServerRefused. Close it after use.

    Args:
        url: where the server listens, such as http://127.0.0.1:8000.
        token: an access token.
        transport: for tests.
    """

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/v1", headers=headers, timeout=TIMEOUT_S, transport=transport
        )
        self._url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def user(self) -> JsonObject:
        """Whose token it is."""
        return _as_object(self._call("GET", "/user"))

    def change_user(self, values: Mapping[str, object]) -> str:
        """Changes account_info, username or password; the last two need current_password. Returns what to say."""
        return str(_as_object(self._call("PUT", "/user", json=dict(values))).get("message", ""))

    def delete_user(self, password: str) -> None:
        """Deletes the account."""
        self._call("DELETE", "/user", json={"password": password})

    def begin_mfa(self) -> JsonObject:
        """A new second factor: `secret`, `otpauth_url`, and the `mfa_token` for `confirm_mfa`."""
        return _as_object(self._call("GET", "/user/mfa-enable"))

    def confirm_mfa(self, mfa_token: str, code: str) -> list[str]:
        """Turns it on by a code of the secret; returns the recovery codes."""
        answer = _as_object(self._call("POST", "/user/mfa-enable", json={"mfa_token": mfa_token, "otp": code}))
        codes = answer.get("recovery_codes")
        return [str(one) for one in codes] if isinstance(codes, list) else []

    def disable_mfa(self, password: str) -> None:
        """Turns the second factor off."""
        self._call("PUT", "/user/mfa-disable", json={"current_password": password})

    def tokens(self) -> list[JsonObject]:
        """The account's access tokens, by name and first characters."""
        answer = self._call("GET", "/access_tokens")
        return [_as_object(item) for item in answer] if isinstance(answer, list) else []

    def create_token(self, label: str, lasts_s: int | None = None, scopes: Sequence[str] = ()) -> str:
        """Makes a token and returns it; it cannot be asked for again.

        Without `lasts_s` it does not expire; without `scopes` it is good for all that the account may do.
        """
        body: JsonObject = {"label": label}
        if scopes:
            body["scopes"] = list(scopes)
        if lasts_s is not None:
            body["expires_in"] = lasts_s
        return str(_as_object(self._call("POST", "/access_tokens", json=body)).get("token", ""))

    def revoke_token(self, number: int | None = None) -> None:
        """Ends a token by the id that `tokens` gives; without one, the client's own."""
        self._call("DELETE", "/access_tokens/current" if number is None else f"/access_tokens/id/{number}")

    def organizations(self) -> list[JsonObject]:
        """The account's organizations."""
        return _objects(self._call("GET", "/orgs"), "organizations")

    def create_organization(self, name: str) -> JsonObject:
        """Makes an organization that the account administers."""
        return _object(self._call("POST", "/orgs", json={"organization": {"name": name}}), "organization")

    def usage(self, organization: str, days: Mapping[str, str] | None = None) -> JsonObject:
        """What it uses; `days`: `from` and `to`, such as 2026-11-23."""
        return _object(self._call("GET", f"/orgs/{quote(organization)}/usage", params=dict(days or {})), "usage")

    def branding(self, organization: str) -> JsonObject:
        """How an organization looks to its customers."""
        return _object(self._call("GET", f"/orgs/{quote(organization)}/branding"), "branding")

    def set_branding(self, organization: str, values: Mapping[str, str]) -> JsonObject:
        """Changes name, support_email, color or background."""
        return _object(self._call("PUT", f"/orgs/{quote(organization)}/branding", json=dict(values)), "branding")

    def set_logo(self, organization: str, raw: bytes) -> JsonObject:
        """Uploads a PNG file; without bytes, removes the logo."""
        path = f"/orgs/{quote(organization)}/branding/logo"
        if not raw:
            return _object(self._call("DELETE", path), "branding")
        return _object(self._call("PUT", path, files={"file": ("logo.png", raw, "image/png")}), "branding")

    def transfer_organization(self, organization: str, email: str) -> JsonObject:
        """Gives an organization to another administrator; returns its team."""
        return _as_object(self._call("PUT", f"/orgs/{quote(organization)}/owner", json={"username": email}))

    def rename_organization(self, organization: str, name: str) -> JsonObject:
        """Gives it another name; its slug stays."""
        return _object(self._call("PUT", f"/orgs/{quote(organization)}", json={"name": name}), "organization")

    def audit(self, organization: str, limit: int = 200, filters: Mapping[str, str] | None = None) -> list[JsonObject]:
        """Who did what, newest first; filters are by, action, subject, since, until."""
        query = {**_given(filters), "limit": str(limit)}
        return _objects(self._call("GET", f"/orgs/{quote(organization)}/audit", params=query), "audit")

    def audit_csv(self, organization: str, filters: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """All of it as CSV, in pieces."""
        query = {**_given(filters), "format": "csv"}
        yield from _pieces(self._http, self._url, f"/orgs/{quote(organization)}/audit", query)

    def team(self, organization: str) -> JsonObject:
        """`team` and `invitations`."""
        return _as_object(self._call("GET", f"/orgs/{quote(organization)}/team"))

    def invite(self, organization: str, email: str, role: str) -> JsonObject:
        """Invites an address; returns what `team` does."""
        body = {"username": email, "role": role}
        return _as_object(self._call("POST", f"/orgs/{quote(organization)}/team", json=body))

    def set_role(self, organization: str, email: str, role: str) -> JsonObject:
        """Gives a member another role; returns what `team` does."""
        path = f"/orgs/{quote(organization)}/team/{quote(email)}"
        return _as_object(self._call("PUT", path, json={"role": role}))

    def remove_member(self, organization: str, email: str) -> None:
        """Takes a member out of the team, or withdraws an invitation."""
        self._call("DELETE", f"/orgs/{quote(organization)}/team/{quote(email)}")

    def invitations(self) -> list[JsonObject]:
        """Invitations to the account's address."""
        return _objects(self._call("GET", "/user/invitations"), "invitations")

    def answer_invitation(self, organization: str, accept: bool) -> JsonObject:
        """Joins an organization, or declines to."""
        path = f"/user/invitations/{quote(organization)}"
        return _object(self._call("POST", path, json={"accept": accept}), "invitation")

    def products(self) -> list[JsonObject]:
        """All products."""
        return _objects(self._call("GET", "/products"), "products")

    def create_product(self, product_id: int, name: str, **fields: object) -> JsonObject:
        """Makes a product; `fields` are slug, description, auto_approve, check_in_interval_s, quarantine_max."""
        body = {"product": {"id": product_id, "name": name, **fields}}
        return _object(self._call("POST", "/products", json=body), "product")

    def publish(self, image: bytes, product: int, elf: bytes | None = None, title: str = "") -> JsonObject:
        """Uploads an image, with its ELF file if there is one; returns the release."""
        files = {"file": ("firmware.bin", image, "application/octet-stream")}
        if elf is not None:
            files["elf"] = ("firmware.elf", elf, "application/octet-stream")
        answer = self._call("POST", f"/products/{product}/firmware", files=files, data={"title": title})
        return _as_object(answer)

    def product(self, product: int) -> JsonObject:
        """One product."""
        return _object(self._call("GET", f"/products/{product}"), "product")

    def change_product(self, product: int, **changes: object) -> JsonObject:
        """Changes settings of a product."""
        return _object(self._call("PUT", f"/products/{product}", json={"product": changes}), "product")

    def remove_product(self, product: int) -> None:
        """Removes a product that has neither devices nor releases."""
        self._call("DELETE", f"/products/{product}")

    def release(self, product: int, version: int, **to: object) -> JsonObject:
        """Releases a version: `product_default`, `groups` and `force` as the API has them."""
        return _as_object(self._call("PUT", f"/products/{product}/firmware/release", json={"version": version, **to}))

    def impact(self, product: int, version: int, default: bool, groups: Sequence[str]) -> JsonObject:
        """How many devices a release would update: `total` and `by_version`."""
        query = {
            "firmware_version": str(version),
            "product_default": str(default).lower(),
            "groups": ",".join(groups),
        }
        answer = _as_object(self._call("GET", f"/products/{product}/impact", params=query))
        return _object(_object(answer, "devices"), "firmware_update")

    def change_release(self, product: int, version: int, **changes: str) -> JsonObject:
        """Sets title or description."""
        return _as_object(self._call("PUT", f"/products/{product}/firmware/{version}", json=changes))

    def remove_release(self, product: int, version: int) -> None:
        """Removes a version that no device was ever meant to run."""
        self._call("DELETE", f"/products/{product}/firmware/{version}")

    def releases(self, product: int) -> list[JsonObject]:
        """All releases, newest first."""
        answer = self._call("GET", f"/products/{product}/firmware")
        return [_as_object(item) for item in answer] if isinstance(answer, list) else []

    def patches(self, product: int) -> list[JsonObject]:
        """All patches, and how far they are."""
        return _objects(self._call("GET", f"/products/{product}/patches"), "patches")

    def patch_storage(self, product: int) -> JsonObject:
        """What the patches that are kept take, and what all of the server's may."""
        return _object(self._call("GET", f"/products/{product}/patches"), "storage")

    def create_rollout(
        self,
        product: int,
        version: int,
        stages: Sequence[Stage],
        name: str = "",
        salt: str | None = None,
        schedule: JsonObject | None = None,
    ) -> JsonObject:
        """Makes a draft. `salt`, 32 hexadecimal digits, spreads the devices over the percentages."""
        body: JsonObject = {"version": version, "name": name, "salt": salt, "schedule": schedule or {}}
        return self.make_rollout(product, {**body, "stages": [stage.to_json() for stage in stages]})

    def make_rollout(self, product: int, body: JsonObject) -> JsonObject:
        """Makes a draft with all that the API takes (docs/howto/rollouts.md)."""
        return _object(self._call("POST", f"/products/{product}/rollouts", json=body), "rollout")

    def move_rollout(self, product: int, rollout: int, verb: str) -> JsonObject:
        """`verb` is start, cancel, pause, resume or abort."""
        return _object(self._call("POST", f"/products/{product}/rollouts/{rollout}/{verb}"), "rollout")

    def reschedule(self, product: int, rollout: int, schedule: JsonObject) -> JsonObject:
        """Gives a rollout another schedule; what is left out has its default."""
        path = f"/products/{product}/rollouts/{rollout}/schedule"
        return _object(self._call("PUT", path, json={"schedule": schedule}), "rollout")

    def rollouts(self, product: int) -> list[JsonObject]:
        """All rollouts, newest first."""
        return _objects(self._call("GET", f"/products/{product}/rollouts"), "rollouts")

    def rollout(self, product: int, rollout: int) -> JsonObject:
        """One rollout: `rollout`, `reasons` and `troubles`."""
        return _as_object(self._call("GET", f"/products/{product}/rollouts/{rollout}"))

    def foresee(self, product: int, rollout: int, what: str, query: Mapping[str, str] | None = None) -> JsonObject:
        """`what` is forecast or simulation."""
        return _object(self._call("GET", f"/products/{product}/rollouts/{rollout}/{what}", params=query), what)

    def cohorts(self, product: int) -> list[JsonObject]:
        """Saved cohorts by name."""
        return _objects(self._call("GET", f"/products/{product}/cohorts"), "cohorts")

    def cohort(self, product: int, name: str) -> JsonObject:
        """A saved cohort, and the rollouts that will start with it."""
        return _object(self._call("GET", f"/products/{product}/cohorts/{quote(name, safe='')}"), "cohort")

    def create_cohort(self, product: int, name: str, cohort: JsonObject, description: str = "") -> JsonObject:
        """Saves a cohort by its expression."""
        body = {"name": name, "cohort": cohort, "description": description}
        return _object(self._call("POST", f"/products/{product}/cohorts", json=body), "cohort")

    def change_cohort(self, product: int, name: str, changes: JsonObject) -> JsonObject:
        """Sets the expression (`cohort`) or the description of a saved cohort."""
        path = f"/products/{product}/cohorts/{quote(name, safe='')}"
        return _object(self._call("PUT", path, json=changes), "cohort")

    def delete_cohort(self, product: int, name: str) -> None:
        """Removes a saved cohort."""
        self._call("DELETE", f"/products/{product}/cohorts/{quote(name, safe='')}")

    def preview(self, product: int, cohort: JsonObject) -> JsonObject:
        """Which devices an expression holds now."""
        return _object(self._call("POST", f"/products/{product}/cohorts/preview", json={"cohort": cohort}), "preview")

    def devices(self, product: int, filters: Mapping[str, str] | None = None) -> list[JsonObject]:
        """All devices of a product, or those that filters leave, such as groups, tag, status or version."""
        found: list[JsonObject] = []
        page, pages = 1, 1
        while page <= pages:
            query = {**(filters or {}), "page": str(page), "per_page": "500"}
            answer = _as_object(self._call("GET", f"/products/{product}/devices", params=query))
            found += _objects(answer, "devices")
            total = _object(answer, "meta").get("total_pages")
            pages = total if isinstance(total, int) else 1
            page += 1
        return found

    def device(self, product: int, device_id: str) -> JsonObject:
        """One device with attempts, history, logs and the reason why it runs what it runs."""
        return _as_object(self._call("GET", f"/products/{product}/devices/{device_id}"))

    def explain(self, product: int, device_id: str) -> JsonObject:
        """What a device is offered, and what each rule says about it."""
        return _as_object(self._call("GET", f"/products/{product}/devices/{device_id}/explain"))

    def approve(self, product: int, device_id: str, fingerprint: str | None = None) -> JsonObject:
        """Trusts a quarantined device's key."""
        body = {} if fingerprint is None else {"fingerprint": fingerprint}
        return _as_object(self._call("POST", f"/products/{product}/devices/{device_id}/approve", json=body))

    def change_device(self, product: int, device_id: str, **changes: object) -> JsonObject:
        """Sets name, notes, groups, development or desired_firmware_version (None unlocks)."""
        return _as_object(self._call("PUT", f"/products/{product}/devices/{device_id}", json=changes))

    def remove_device(self, product: int, device_id: str, deny: bool = False) -> None:
        """Takes a device out of the product, or denies it."""
        self._call("DELETE", f"/products/{product}/devices/{device_id}", json={"deny": deny})

    def flash_device(self, product: int, device_id: str, image: bytes) -> JsonObject:
        """Has a device for development offered an image at its next check-in."""
        files = {"file": ("firmware.bin", image, "application/octet-stream")}
        return _as_object(self._call("PUT", f"/products/{product}/devices/{device_id}", files=files))

    def import_table(self, product: int, table: bytes) -> JsonObject:
        """Imports a table (CSV) of devices, or a list of ids."""
        return _as_object(
            self._call("POST", f"/products/{product}/devices", files={"file": ("file", table, "text/csv")})
        )

    def devices_csv(self, product: int, filters: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """All devices as a table, in pieces."""
        return _pieces(self._http, self._url, f"/products/{product}/devices", {"format": "csv", **_given(filters)})

    def log(self, product: int, limit: int = 200, filters: Mapping[str, str] | None = None) -> JsonObject:
        """`log`, newest first, and `next`; filters: kind, level, device, version, name, text, since, until, before."""
        query = {**_given(filters), "limit": str(limit)}
        return _as_object(self._call("GET", f"/products/{product}/log", params=query))

    def log_csv(self, product: int, filters: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """All of it as CSV, in pieces."""
        return _pieces(self._http, self._url, f"/products/{product}/log", {"format": "csv", **_given(filters)})

    def claim_device(self, device_id: str) -> JsonObject:
        """Makes the account the owner of a device."""
        return _as_object(self._call("POST", "/devices", json={"id": device_id}))

    def claim_code(self, product: int | None = None) -> str:
        """A code that makes the account the owner of the device that tells it."""
        path = "/device_claims" if product is None else f"/products/{product}/device_claims"
        return str(_as_object(self._call("POST", path)).get("claim_code", ""))

    def give_up_device(self, device: str) -> None:
        """Gives up a device that the account owns, by id or name."""
        self._call("DELETE", f"/devices/{quote(device)}")

    def take_from_owner(self, product: int, device_id: str) -> None:
        """Leaves a device without an owner."""
        self._call("DELETE", f"/products/{product}/devices/{device_id}/owner")

    def import_devices(self, product: int, devices: Mapping[str, str | None]) -> JsonObject:
        """Makes devices known: id -> public key (hexadecimal) or None."""
        lines = "\n".join(device if key is None else f"{device} {key}" for device, key in devices.items())
        files = {"file": ("file", lines.encode(), "text/plain")}
        return _as_object(self._call("POST", f"/products/{product}/devices", files=files))

    def call_function(self, product: int, device_id: str, function: str, argument: str) -> JsonObject:
        """Calls a function of a device: `return_value`."""
        path = f"/products/{product}/devices/{device_id}/{quote(function, safe='')}"
        return _as_object(self._call("POST", path, json={"arg": argument}))

    def read_variable(self, product: int, device_id: str, variable: str) -> JsonObject:
        """Reads a variable of a device: `result`."""
        return _as_object(self._call("GET", f"/products/{product}/devices/{device_id}/{quote(variable, safe='')}"))

    def signal_device(self, product: int, device_id: str, is_on: bool) -> JsonObject:
        """Has a device show people which one it is, or stop that."""
        return self.change_device(product, device_id, signal="1" if is_on else "0")

    def watch_device(self, product: int, device_id: str, seconds: int) -> JsonObject:
        """Has a device answer at once for so long; 0 ends it."""
        return _as_object(
            self._call("PUT", f"/products/{product}/devices/{device_id}/watch", json={"seconds": seconds})
        )

    def publish_event(self, product: int, name: str, data: str) -> None:
        """Publishes an event of a product."""
        self._call("POST", f"/products/{product}/events", json={"name": name, "data": data})

    def events(self, product: int, prefix: str = "", device_id: str | None = None) -> Iterator[JsonObject]:
        """Events of a product or device as they are published: `event`, `data`, `coreid`, `published_at`, `ttl`."""
        path = f"/products/{product}" + ("" if device_id is None else f"/devices/{device_id}") + "/events"
        name = ""
        for line in _lines(self._http, self._url, f"{path}/{quote(prefix)}" if prefix else path):
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield {"event": name, **_as_object(json.loads(line.removeprefix("data: ")))}

    def oauth_clients(self, owner: str = "") -> list[JsonObject]:
        """OAuth clients of an owner: `products/1234`, or the account itself."""
        found = _as_object(self._call("GET", _clients(owner))).get("clients")
        return [_as_object(item) for item in found] if isinstance(found, list) else []

    def create_oauth_client(self, owner: str, fields: Mapping[str, object]) -> JsonObject:
        """Makes an OAuth client; the answer tells its `secret`, this once."""
        return _as_object(_as_object(self._call("POST", _clients(owner), json=dict(fields))).get("client"))

    def change_oauth_client(self, owner: str, client_id: str, fields: Mapping[str, object]) -> JsonObject:
        """Sets name, redirect_uri or scope."""
        path = f"{_clients(owner)}/{quote(client_id, safe='')}"
        return _as_object(_as_object(self._call("PUT", path, json=dict(fields))).get("client"))

    def remove_oauth_client(self, owner: str, client_id: str) -> None:
        """With all that it was granted."""
        self._call("DELETE", f"{_clients(owner)}/{quote(client_id, safe='')}")

    def customer(self, product: int, email: str) -> JsonObject:
        """A `customer` of a product and their `devices`."""
        return _as_object(self._call("GET", f"/products/{product}/customers/{quote(email, safe='')}"))

    def customers(self, product: int, page: int = 1, search: str = "") -> JsonObject:
        """A page of a product's `customers` and their `devices`. `search`: a part of their addresses."""
        params = {"page": str(page), "per_page": "100", "search": search}
        return _as_object(self._call("GET", f"/products/{product}/customers", params=params))

    def create_customer(self, product: int, email: str, password: str | None = None) -> JsonObject:
        """Makes a customer, who without a password cannot sign in with one."""
        body = {"email": email} if password is None else {"email": email, "password": password}
        return _as_object(_as_object(self._call("POST", f"/products/{product}/customers", json=body)).get("customer"))

    def remove_customer(self, product: int, email: str) -> None:
        """Their devices have no owner any more."""
        self._call("DELETE", f"/products/{product}/customers/{quote(email, safe='')}")

    def webhooks(self, owner: str) -> list[JsonObject]:
        """Webhooks of an owner: `products/1234` or `orgs/warm-rooms`."""
        answer = self._call("GET", _webhooks(owner)[0], params=_webhooks(owner)[1])
        return [_as_object(item) for item in answer] if isinstance(answer, list) else []

    def create_webhook(self, owner: str, fields: Mapping[str, object]) -> JsonObject:
        """Makes a webhook from Particle's fields; the answer tells its `secret`, this once."""
        path, query = _webhooks(owner)
        return _as_object(self._call("POST", path, json=dict(fields), params=query))

    def webhook(self, owner: str, number: str) -> JsonObject:
        """A webhook with its last `deliveries`."""
        path, query = _webhooks(owner)
        return _as_object(self._call("GET", f"{path}/{quote(number, safe='')}", params=query))

    def enable_webhook(self, owner: str, number: str) -> JsonObject:
        """Switches a webhook on again that failed too often."""
        path, query = _webhooks(owner)
        return _as_object(self._call("POST", f"{path}/{quote(number, safe='')}/enable", params=query))

    def delete_webhook(self, owner: str, number: str) -> None:
        """Removes a webhook."""
        path, query = _webhooks(owner)
        self._call("DELETE", f"{path}/{quote(number, safe='')}", params=query)

    def _call(
        self,
        method: str,
        path: str,
        json: object = None,
        params: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> object:
        return _answer(self._http, self._url, method, path, json=json, params=params, files=files, data=data)


def _pieces(http: httpx.Client, url: str, path: str, params: Mapping[str, str]) -> Iterator[bytes]:
    """A body that may be long."""
    try:
        with http.stream("GET", path, params=params) as response:
            if response.is_success:
                yield from response.iter_bytes()
                return
            response.read()
    except httpx.HTTPError as error:
        raise _unreachable(url, error) from error
    _checked(response, url)


def _answer(http: httpx.Client, url: str, method: str, path: str, **arguments: Any) -> object:
    try:
        response = http.request(method, path, **arguments)
    except httpx.HTTPError as error:
        raise _unreachable(url, error) from error
    return _checked(response, url)


def _unreachable(url: str, error: httpx.HTTPError) -> ServerUnreachable:
    return ServerUnreachable(f"no answer from {url}: {error} (is `muster serve` running?)")


def _checked(response: httpx.Response, url: str) -> object:
    if response.status_code == httpx.codes.NO_CONTENT:
        return None
    try:
        answer: object = response.json()
    except ValueError as error:
        raise ServerUnreachable(f"{url} does not answer as a Muster server does") from error
    if response.is_success:
        return answer
    facts = answer if isinstance(answer, dict) else {}
    text = str(facts.get("error_description", f"status {response.status_code}"))
    raise ServerRefused(text, response.status_code, str(facts.get("code") or facts.get("error", "")), facts)


def _given(filters: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (filters or {}).items() if value}


def _clients(owner: str) -> str:
    """Path of an owner's OAuth clients."""
    return f"/{owner}/clients" if owner else "/clients"


def _webhooks(owner: str) -> tuple[str, dict[str, str]]:
    """Path and query of an owner's webhooks."""
    kind, _, name = owner.partition("/")
    return ("/webhooks", {"org": name}) if kind == "orgs" else (f"/{owner}/webhooks", {})


def _lines(http: httpx.Client, url: str, path: str) -> Iterator[str]:
    """Lines of an answer that does not end by itself."""
    try:
        with http.stream("GET", path) as response:
            if not response.is_success:
                response.read()
                _checked(response, url)
            yield from response.iter_lines()
    except httpx.HTTPError as error:
        raise _unreachable(url, error) from error
