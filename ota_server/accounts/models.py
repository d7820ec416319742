# SPDX-License-Identifier: Apache-2.0
"""Accounts of people, their tokens and sign-in sessions."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from ota_server.storage.schema import metadata

AGENT_MAX = 200
"""Characters of what a browser says it is that are kept."""

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String(200), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    # Second factor (RFC 6238): the shared secret, base32, once it is on; and the time step that was used last.
    Column("totp_secret", String(64), nullable=True),
    Column("totp_step", BigInteger, nullable=False, default=0),
    # On a page; NULL: never.
    Column("signed_in_ms", BigInteger, nullable=True),
    # What a person says of themselves, as JSON: see AccountInfo.
    Column("info", Text, nullable=False, default="{}"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("code_hash", LargeBinary(32), primary_key=True),
    sqlite_with_rowid=False,
)

# A password was right, or a second factor is being set up: what is missing is a code.
mfa_challenges = Table(
    "mfa_challenges",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("new_secret", String(64), nullable=True),
    Column("client", String(64), nullable=False),
    Column("lasts_s", Integer, nullable=True),
    Column("failures", Integer, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
)

# Links in mails, an account's or, with a product, a customer's; see accounts/links.py.
links = Table(
    "account_links",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("purpose", String(20), nullable=False),
    Column("email", String(200), nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=True),
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), nullable=True),
    Column("password_hash", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Index("ix_account_links_email", "email"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=True),
    Column("customer_id", ForeignKey("customers.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("grant_id", ForeignKey("oauth_grants.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),
    Column("prefix", String(8), nullable=False),
    Column("label", String(100), nullable=False),
    Column("client", String(64), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=True),
    Column("scopes", Text, nullable=True),
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), nullable=True),
    # Of accounts' tokens, to a few minutes; NULL: never.
    Column("used_ms", BigInteger, nullable=True),
    Index("ix_tokens_account_id", "account_id"),
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("cookie_hash", LargeBinary(32), nullable=False, unique=True),
    Column("form_token", String(64), nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
    Column("address", String(64), nullable=False),
    Column("agent", String(AGENT_MAX), nullable=False),
    Index("ix_web_sessions_account_id", "account_id"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """A person. `password_hash` is argon2id in its PHC form."""

    id: int
    email: str
    password_hash: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """What a person says of themselves, in Particle's words. Nothing depends on it."""

    first_name: str = ""
    last_name: str = ""
    company_name: str = ""
    business_account: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """An access token as it is kept: nobody can tell it again. It is an account's or a customer's.

    Attributes:
        prefix: its first characters, to know it by.
        label: what it is for, in its owner's words.
        client: the OAuth client that asked for it; empty for Muster's own commands.
        expires_ms: None for never.
        scopes: names with spaces between, all that it is good for; None for all that its account may do.
        product_id: the one product that it is good for; None for no such limit.
        used_ms: when it came with a request last, to a few minutes; None for never.
    """

    id: int
    prefix: str
    label: str
    client: str
    created_ms: int
    expires_ms: int | None
    scopes: str | None
    product_id: int | None
    used_ms: int | None


@dataclass(frozen=True, slots=True)
class Browser:
    """A signed-in browser.

    Attributes:
        used_ms: when it asked for a page last, to a few minutes.
        address: where it asked from, then.
        agent: what it says it is, which it may make up.
    """

    id: int
    created_ms: int
    used_ms: int
    expires_ms: int
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class WebSession:
    """A browser's sign-in. `form_token` must come with every form (it cannot be read from another site)."""

    account: Account
    form_token: str
    browser: Browser
