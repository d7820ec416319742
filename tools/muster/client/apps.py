# SPDX-License-Identifier: Apache-2.0
"""What apps work with: events, webhooks, OAuth clients and customers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from muster.client.wire import JsonObject, Wire, as_object


class AppCalls(Wire):
    """What apps work with: events, webhooks, OAuth clients and customers."""

    def publish_event(self, product: int, name: str, data: str) -> None:
        """Publishes an event of a product."""
        self.call("POST", f"/products/{product}/events", json={"name": name, "data": data})

    def events(self, product: int, prefix: str = "", device_id: str | None = None) -> Iterator[JsonObject]:
        """Events of a product or device as they are published: `event`, `data`, `coreid`, `published_at`, `ttl`."""
        path = f"/products/{product}" + ("" if device_id is None else f"/devices/{device_id}") + "/events"
        name = ""
        for line in self.lines(f"{path}/{quote(prefix)}" if prefix else path):
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield {"event": name, **as_object(json.loads(line.removeprefix("data: ")))}

    def oauth_clients(self, owner: str = "") -> list[JsonObject]:
        """OAuth clients of an owner: `products/1234`, or the account itself."""
        found = as_object(self.call("GET", _clients(owner))).get("clients")
        return [as_object(item) for item in found] if isinstance(found, list) else []

    def create_oauth_client(self, owner: str, fields: Mapping[str, object]) -> JsonObject:
        """Makes an OAuth client; the answer tells its `secret`, this once."""
        return as_object(as_object(self.call("POST", _clients(owner), json=dict(fields))).get("client"))

    def change_oauth_client(self, owner: str, client_id: str, fields: Mapping[str, object]) -> JsonObject:
        """Sets name, redirect_uri or scope."""
        path = f"{_clients(owner)}/{quote(client_id, safe='')}"
        return as_object(as_object(self.call("PUT", path, json=dict(fields))).get("client"))

    def remove_oauth_client(self, owner: str, client_id: str) -> None:
        """With all that it was granted."""
        self.call("DELETE", f"{_clients(owner)}/{quote(client_id, safe='')}")

    def customer(self, product: int, email: str) -> JsonObject:
        """A `customer` of a product and their `devices`."""
        return as_object(self.call("GET", f"/products/{product}/customers/{quote(email, safe='')}"))

    def customers(self, product: int, page: int = 1, search: str = "") -> JsonObject:
        """A page of a product's `customers` and their `devices`. `search`: a part of their addresses."""
        params = {"page": str(page), "per_page": "100", "search": search}
        return as_object(self.call("GET", f"/products/{product}/customers", params=params))

    def create_customer(self, product: int, email: str, password: str | None = None) -> JsonObject:
        """Makes a customer, who without a password cannot sign in with one."""
        body = {"email": email} if password is None else {"email": email, "password": password}
        return as_object(as_object(self.call("POST", f"/products/{product}/customers", json=body)).get("customer"))

    def remove_customer(self, product: int, email: str) -> None:
        """Their devices have no owner any more."""
        self.call("DELETE", f"/products/{product}/customers/{quote(email, safe='')}")

    def webhooks(self, owner: str) -> list[JsonObject]:
        """Webhooks of an owner: `products/1234` or `orgs/warm-rooms`."""
        answer = self.call("GET", _webhooks(owner)[0], params=_webhooks(owner)[1])
        return [as_object(item) for item in answer] if isinstance(answer, list) else []

    def create_webhook(self, owner: str, fields: Mapping[str, object]) -> JsonObject:
        """Makes a webhook from Particle's fields; the answer tells its `secret`, this once."""
        path, query = _webhooks(owner)
        return as_object(self.call("POST", path, json=dict(fields), params=query))

    def webhook(self, owner: str, number: str) -> JsonObject:
        """A webhook with its last `deliveries`."""
        path, query = _webhooks(owner)
        return as_object(self.call("GET", f"{path}/{quote(number, safe='')}", params=query))

    def enable_webhook(self, owner: str, number: str) -> JsonObject:
        """Switches a webhook on again that failed too often."""
        path, query = _webhooks(owner)
        return as_object(self.call("POST", f"{path}/{quote(number, safe='')}/enable", params=query))

    def delete_webhook(self, owner: str, number: str) -> None:
        """Removes a webhook."""
        path, query = _webhooks(owner)
        self.call("DELETE", f"{path}/{quote(number, safe='')}", params=query)


def _clients(owner: str) -> str:
    """Path of an owner's OAuth clients."""
    return f"/{owner}/clients" if owner else "/clients"


def _webhooks(owner: str) -> tuple[str, dict[str, str]]:
    """Path and query of an owner's webhooks."""
    kind, _, name = owner.partition("/")
    return ("/webhooks", {"org": name}) if kind == "orgs" else (f"/{owner}/webhooks", {})
