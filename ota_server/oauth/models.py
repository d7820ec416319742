# SPDX-License-Identifier: Apache-2.0
"""An OAuth client as the server keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table

from ota_server.storage.schema import metadata, status_type


class ClientType(StrEnum):
    """Where a client runs, and so whether it can keep its secret (RFC 6749 section 2.1)."""

    INSTALLED = "installed"
    """On people's own phones and computers: its secret is in every copy of it."""
    WEB = "web"
    """On a server of its own."""


class ClientScope(StrEnum):
    """What a client may do by itself, in Particle's words."""

    ALL = "*all*"
    """Act as whoever made it."""
    CREATE_CUSTOMER = "create_customer"
    """Make customers of its product, and nothing else."""


clients = Table(
    "oauth_clients",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", String(64), nullable=False, unique=True),
    Column("secret_hash", LargeBinary(32), nullable=False),
    Column("name", String(100), nullable=False),
    Column("type", status_type(ClientType, "client_type"), nullable=False),
    Column("redirect_uri", String(2000), nullable=True),
    Column("scope", status_type(ClientScope, "client_scope"), nullable=False),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("created_ms", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Client:
    """A program that may ask for tokens. Its secret is told once; `secret_hash` is what is kept of it.

    Attributes:
        client_id: its name in requests; no secret.
        redirect_uri: the one place that browsers are sent back to; None for none.
        account_id: who made it.
        product_id: whose client it is; None for the account's own.
    """

    id: int
    client_id: str
    secret_hash: bytes
    name: str
    type: ClientType
    redirect_uri: str | None
    scope: ClientScope
    account_id: int
    product_id: int | None
    created_ms: int
