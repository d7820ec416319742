# SPDX-License-Identifier: Apache-2.0
"""SQL for OAuth clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from ota_server.accounts.models import tokens
from ota_server.oauth.models import Client, clients

_CLIENT = select(*(clients.c[field.name] for field in fields(Client)))


def by_client_id(connection: Connection, client_id: str) -> Client | None:
    row = connection.execute(_CLIENT.where(clients.c.client_id == client_id)).first()
    return None if row is None else Client(*row)


def clients_of(connection: Connection, account_id: int, product_id: int | None) -> list[Client]:
    """A product's, or the account's own, by name."""
    rows = connection.execute(_CLIENT.where(_belongs(account_id, product_id)).order_by(clients.c.name, clients.c.id))
    return [Client(*row) for row in rows]


def find(connection: Connection, account_id: int, product_id: int | None, client_id: str) -> Client | None:
    """One of them."""
    query = _CLIENT.where(_belongs(account_id, product_id), clients.c.client_id == client_id)
    row = connection.execute(query).first()
    return None if row is None else Client(*row)


def _belongs(account_id: int, product_id: int | None) -> ColumnElement[bool]:
    if product_id is not None:
        return clients.c.product_id == product_id
    return clients.c.product_id.is_(None) & (clients.c.account_id == account_id)


def add(connection: Connection, **columns: object) -> None:
    connection.execute(insert(clients).values(**columns))


def change(connection: Connection, client: Client, values: Mapping[str, Any]) -> None:
    connection.execute(update(clients).where(clients.c.id == client.id).values(**values))


def end_own_tokens(connection: Connection, client: Client) -> None:
    """Ends access tokens that it got by its secret alone; those under a grant go with the grant."""
    own = (tokens.c.account_id == client.account_id, tokens.c.client == client.client_id, tokens.c.grant_id.is_(None))
    connection.execute(delete(tokens).where(*own))


def remove(connection: Connection, client: Client) -> None:
    """With all its tokens."""
    end_own_tokens(connection, client)
    connection.execute(delete(clients).where(clients.c.id == client.id))
