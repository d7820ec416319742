# SPDX-License-Identifier: Apache-2.0
"""What the management API's routes share: the server's parts, the caller's account, and audited writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request
from sqlalchemy import Connection

from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.accounts.models import Account
from ota_server.errors import Unauthorized
from ota_server.products.models import Product
from ota_server.services import Services

T = TypeVar("T")


def services_of(request: Request) -> Services:
    """The server's parts."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


def account_of(request: Request, services: ServicesDep) -> Account:
    """Whose access token came with the request. Raises Unauthorized."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("send an access token: Authorization: Bearer TOKEN")
    with services.database.read() as connection:
        return accounts.account_of_token(connection, token.strip())


AccountDep = Annotated[Account, Depends(account_of)]
Page = Annotated[int, Query(ge=1, le=1_000_000)]
PerPage = Annotated[int, Query(ge=1, le=500)]


def act(
    services: Services,
    account: Account,
    action: str,
    subject: str,
    work: Callable[[Connection, int], T],
    product: Product | None = None,
    detail: str = "",
) -> T:
    """Writes something and its line in the audit trail in one commit, then tells who watches the product."""
    now_ms = services.clock.now_ms()

    def write(connection: Connection) -> T:
        result = work(connection, now_ms)
        accounts_store.add_audit(connection, account.id, action, subject, detail, now_ms)
        return result

    result = services.database.write(write)
    if product is not None:
        services.feed.publish(product.id)
    services.patcher.wake()
    return result
