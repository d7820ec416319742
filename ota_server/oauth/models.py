# SPDX-License-Identifier: Apache-2.0
"""OAuth clients, and what they were granted, as the server keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table, Text

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

# A client acts for an account or a customer. Its tokens and refresh tokens go with it.
grants = Table(
    "oauth_grants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_row", ForeignKey("oauth_clients.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("customer_id", ForeignKey("customers.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("scopes", Text, nullable=True),
    Column("created_ms", BigInteger, nullable=False),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("grant_id", ForeignKey("oauth_grants.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("is_used", Boolean(create_constraint=True, name="is_used"), nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)

authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("code_hash", LargeBinary(32), primary_key=True),
    Column("grant_id", ForeignKey("oauth_grants.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("redirect_uri", String(2000), nullable=False),
    Column("challenge", String(128), nullable=True),
    Column("is_used", Boolean(create_constraint=True, name="is_used"), nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client was granted: to act for an account or for a customer. See `Token` for the scopes."""

    id: int
    client_row: int
    account_id: int | None
    customer_id: int | None
    scopes: str | None
    created_ms: int


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code that was just used up.

    Attributes:
        redirect_uri: where the browser was sent with it.
        challenge: of PKCE (RFC 7636), always by S256; None where the client sent none.
    """

    grant: Grant
    redirect_uri: str
    challenge: str | None


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
