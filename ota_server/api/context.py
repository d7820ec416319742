# SPDX-License-Identifier: Apache-2.0
"""What the management API's routes share: the server's parts, who asks, and audited writes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Connection

from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.api import in_paths
from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.customers import tokens
from ota_server.devices import claims
from ota_server.devices import service as devices
from ota_server.devices.models import Device
from ota_server.errors import Forbidden, Invalid, NotFound, Unauthorized, Unavailable
from ota_server.numbers import ROW_MAX, VERSION_MAX
from ota_server.organizations.access import OWN_ONLY, Actor, CustomerActor, Owner, actor_of, check_still
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.products import store as products
from ota_server.products.models import Product
from ota_server.services import Services

T = TypeVar("T")


def services_of(request: Request) -> Services:
    """The server's parts."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
_BearerDep = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(scheme_name="access token", bearerFormat="40 hexadecimal digits", auto_error=False)),
]


def owner_of_request(request: Request, services: ServicesDep, sent: _BearerDep) -> Owner:
    """Whose access token came with the request, for what customers may do as well. Raises Unauthorized."""
    if sent is None:
        raise Unauthorized("send an access token: Authorization: Bearer TOKEN")
    return owner_of_token(services, sent.credentials, address_of(request))


def owner_of_token(services: Services, token: str, address: str) -> Owner:
    """Whose access token it is. Raises Unauthorized."""
    token, now_ms = token.strip(), services.clock.now_ms()
    with services.database.read() as connection:
        found = tokens.holder_of_token(connection, token, now_ms)
        if found is None:
            account, held = accounts.holder_of_token(connection, token, now_ms)
            if (held.used_ms or 0) < now_ms - accounts.SEEN_EVERY_MS:
                # A server that is busy lets people read all the same.
                with contextlib.suppress(Unavailable):
                    services.database.submit(lambda connection: accounts_store.was_used(connection, held.id, now_ms))
            return actor_of(connection, account, address, held)
        customer, held = found
        product = products.get(connection, customer.product_id)
    assert product is not None
    if (customer.active_ms or 0) < now_ms - tokens.ACTIVE_EVERY_MS:
        services.database.submit(lambda connection: tokens.was_active(connection, customer, now_ms))
    return CustomerActor(customer, product, held, address)


def actor_of_request(owner: Annotated[Owner, Depends(owner_of_request)]) -> Actor:
    """Whose access token came with the request. Raises Unauthorized, Forbidden."""
    return check_actor(owner)


def check_actor(owner: Owner) -> Actor:
    """For what no customer may do. Raises Forbidden."""
    if isinstance(owner, CustomerActor):
        raise Forbidden(OWN_ONLY)
    return owner


def person_of_request(actor: Annotated[Actor, Depends(actor_of_request)]) -> Actor:
    """The same, for what concerns the account itself. Raises Unauthorized, Forbidden."""
    actor.check_unlimited()
    return actor


def address_of(request: Request) -> str:
    """Where a request came from; behind a proxy on this machine, what that says (uvicorn's proxy headers)."""
    return "" if request.client is None else request.client.host[:64]


OwnerDep = Annotated[Owner, Depends(owner_of_request)]
ActorDep = Annotated[Actor, Depends(actor_of_request)]
PersonDep = Annotated[Actor, Depends(person_of_request)]
in_paths.register()
Number = Annotated[int, Path(ge=0, le=ROW_MAX)]
"""A row's number in a path."""
Version = Annotated[int, Path(ge=0, le=VERSION_MAX)]
Page = Annotated[int, Query(ge=1, le=1_000_000)]
PerPage = Annotated[int, Query(ge=1, le=500)]


def product_for(services: Services, actor: Owner, name: str, permission: Permission) -> Product:
    """A product of the actor's organizations; see `Actor.product`. Raises NotFound, Forbidden."""
    with services.database.read() as connection:
        return actor.product(connection, name, permission)


def check_own_password(services: Services, actor: Actor, password: str) -> None:
    """For what an access token alone should not do. Raises Invalid, TooMany."""
    try:
        services.passwords.check(actor.account, actor.email, password, services.clock.now_ms())
    except Unauthorized as error:
        raise Invalid("this is not your password", "current_password") from error


def device_for(
    services: Services, actor: Owner, product: str | None, name: str, permission: Permission
) -> tuple[Device, Product]:
    """A device of a product; without one, a device that the actor owns, or one of the actor's products'.

    Raises:
        NotFound, Invalid: there is none, or several have this name.
        Forbidden: the account's role does not allow this.
    """
    with services.database.read() as connection:
        if product is not None:
            found = actor.product(connection, product, permission)
            return devices.find(connection, found, name), found
        try:
            row = claims.find_own(connection, actor.customers(connection), name)
            owner = products.get(connection, row.product_id)
            assert owner is not None
            return row, owner
        except NotFound:
            for one in actor.products(connection, None):
                with contextlib.suppress(NotFound):
                    row = devices.find(connection, one, name)
                    return row, actor.product(connection, str(one.id), permission)
            raise


def act(
    services: Services,
    actor: Owner,
    action: str,
    subject: str,
    work: Callable[[Connection, int], T],
    owner: Product | Organization | None,
    detail: str = "",
) -> T:
    """Writes something and its line in the audit log in one commit, then tells who watches the product.

    `owner`: what it was done to, which says whose log it is in; None for what concerns the account alone. A customer
    is named by its number: the log outlives the customer, and is no place for their address.

    Raises:
        Unauthorized, Forbidden: while the request waited, its actor lost the right to do it.
    """
    if isinstance(actor, CustomerActor):
        detail = f"by customer {actor.customer.id}" + (f": {detail}" if detail else "")
    now_ms = services.clock.now_ms()
    organization_id = owner.organization_id if isinstance(owner, Product) else None if owner is None else owner.id

    def write(connection: Connection) -> T:
        check_still(connection, actor, organization_id, now_ms)
        result = work(connection, now_ms)
        who = actor.customer.account_id if isinstance(actor, CustomerActor) else actor.account.id
        audit.add(connection, Entry(now_ms, who, organization_id, actor.address, action, subject[:200], detail))
        return result

    result = services.database.write(write)
    if isinstance(owner, Product):
        services.feed.publish(owner.id)
    services.jobs.patcher.wake()
    services.jobs.scanner.wake()
    services.jobs.postman.wake()
    services.jobs.streams.wake()
    services.jobs.courier.wake()
    return result
