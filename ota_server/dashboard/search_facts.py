# SPDX-License-Identifier: Apache-2.0
"""What a search over everything finds: a few of each kind, from indexes, among what the visitor may see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy import Connection

from ota_server.customers import store as customers
from ota_server.dashboard.places import BEHIND_SETTINGS, OF_ACCOUNT, OF_ORGANIZATION, OF_PRODUCT
from ota_server.devices import lookup
from ota_server.organizations.access import Actor
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.releases import store as releases
from ota_server.rollouts import store as rollouts

TEXT_MAX = 100
FOUND_MAX = 8
"""Of each kind."""
PRODUCTS_MAX = 10
"""So many products are looked into, the one at hand first."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found; `words` is its name, `where` tells it from others of that name."""

    kind: str
    words: str
    where: str
    href: str


def search(connection: Connection, actor: Actor, products: Sequence[Product], text: str) -> list[Hit]:
    """What has a text in its name, or begins with it: pages first, then what there are many of."""
    found = list(_places(actor, products, text.casefold()))[:FOUND_MAX]
    kinds = (
        (Permission.VIEW_DEVICES, _devices),
        (Permission.VIEW_CUSTOMERS, _customers),
        (Permission.VIEW_FIRMWARE, _releases),
        (Permission.VIEW, _rollouts),
    )
    for permission, find in kinds:
        hits: list[Hit] = []
        for product in products[:PRODUCTS_MAX]:
            if actor.may(product.organization_id, permission):
                hits += find(connection, product, text, FOUND_MAX - len(hits))
            if len(hits) == FOUND_MAX:
                break
        found += hits
    return found


def _places(actor: Actor, products: Sequence[Product], text: str) -> Iterator[Hit]:
    """Pages by their words or by whose they are. The first product's come first."""
    of_product = (*OF_PRODUCT, *BEHIND_SETTINGS)
    owners = [("Product", one.name, f"/products/{one.slug}", one.organization_id, of_product) for one in products]
    owners += [
        ("Organization", one.name, f"/organizations/{one.slug}", one.id, OF_ORGANIZATION)
        for one in actor.organizations.values()
    ]
    for kind, name, path, organization_id, places in owners:
        if text in name.casefold():
            yield Hit(kind, name, "", path)
        for place in places:
            if text in place.words.casefold() and actor.may(organization_id, place.needs):
                yield Hit("Page", place.words, name, f"{path}{place.path}")
    for place in OF_ACCOUNT:
        if text in place.words.casefold():
            yield Hit("Page", place.words, actor.email, f"/account{place.path}")


def _devices(connection: Connection, product: Product, text: str, limit: int) -> list[Hit]:
    return [
        Hit("Device", name or device_id, device_id if name else product.name, f"{_at(product)}/devices/{device_id}")
        for device_id, name in lookup.beginning_with(connection, product.id, text, limit)
    ]


def _customers(connection: Connection, product: Product, text: str, limit: int) -> list[Hit]:
    return [
        Hit("Customer", email, product.name, f"{_at(product)}/customers/{quote(email)}")
        for email in customers.beginning_with(connection, product.id, text, limit)
    ]


def _releases(connection: Connection, product: Product, text: str, limit: int) -> list[Hit]:
    return [
        Hit("Release", f"{one.version} {one.title}".strip(), product.name, f"{_at(product)}/releases/{one.version}")
        for one in releases.named(connection, product.id, text, limit)
    ]


def _rollouts(connection: Connection, product: Product, text: str, limit: int) -> list[Hit]:
    return [
        Hit("Rollout", one.name, product.name, f"{_at(product)}/rollouts/{one.id}")
        for one in rollouts.named(connection, product.id, text, limit)
    ]


def _at(product: Product) -> str:
    return f"/products/{product.slug}"
