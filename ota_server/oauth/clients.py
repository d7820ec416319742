# SPDX-License-Identifier: Apache-2.0
"""Rules for OAuth clients: an account's own, or a product's. Who may manage them is decided before."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from ota_server.accounts.service import hash_of
from ota_server.errors import Conflict, Invalid, NotFound
from ota_server.oauth import store
from ota_server.oauth.models import Client, ClientScope, ClientType

CLIENTS_MAX = 100
"""Of one product, or of one account."""
REDIRECT_URI_MAX = 2000

_URI = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
_OWN_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose clients: a product's, or with None the account's own."""

    account_id: int
    product_id: int | None


@dataclass(frozen=True, slots=True)
class NewClient:
    """What a client is made from; see `Client`."""

    name: str
    type: ClientType
    redirect_uri: str | None = None
    scope: ClientScope = ClientScope.ALL


def create(connection: Connection, owner: Owner, new: NewClient, now_ms: int) -> tuple[Client, str]:
    """Makes a client and its secret, which is told only here.

    Raises:
        Invalid: a field has no legal value.
        Conflict: there are CLIENTS_MAX already.
    """
    if len(store.clients_of(connection, owner.account_id, owner.product_id)) >= CLIENTS_MAX:
        raise Conflict(f"there are {CLIENTS_MAX} OAuth clients: remove some first")
    secret = secrets.token_hex(20)
    client = Client(
        id=0,
        client_id=_client_id(new.name),
        secret_hash=hash_of(secret),
        name=new.name.strip(),
        type=new.type,
        redirect_uri=new.redirect_uri,
        scope=new.scope,
        account_id=owner.account_id,
        product_id=owner.product_id,
        created_ms=now_ms,
    )
    _check(client)
    columns = {name: getattr(client, name) for name in Client.__dataclass_fields__ if name != "id"}
    store.add(connection, **columns)
    return get(connection, owner, client.client_id), secret


def get(connection: Connection, owner: Owner, client_id: str) -> Client:
    """Raises NotFound."""
    found = store.find(connection, owner.account_id, owner.product_id, client_id)
    if found is None:
        raise NotFound(f"there is no OAuth client {client_id}")
    return found


def change(connection: Connection, owner: Owner, client_id: str, changes: Mapping[str, Any]) -> Client:
    """Sets name, redirect_uri or scope. Raises NotFound, Invalid."""
    client = get(connection, owner, client_id)
    changed = replace(client, **changes)
    changed = replace(changed, name=changed.name.strip())
    _check(changed)
    store.change(connection, client, {name: getattr(changed, name) for name in changes})
    return changed


def renew_secret(connection: Connection, owner: Owner, client_id: str) -> str:
    """Another secret, which is told only here. The one until now ends, and so do tokens that it alone got.

    Raises:
        NotFound: there is no such client.
    """
    client, secret = get(connection, owner, client_id), secrets.token_hex(20)
    store.change(connection, client, {"secret_hash": hash_of(secret)})
    store.end_own_tokens(connection, client)
    return secret


def remove(connection: Connection, owner: Owner, client_id: str) -> None:
    """Raises NotFound."""
    store.remove(connection, get(connection, owner, client_id))


def is_secret(client: Client, secret: str) -> bool:
    """Whether it is the client's own."""
    return hmac.compare_digest(hash_of(secret), client.secret_hash)


def _check(client: Client) -> None:
    if not 1 <= len(client.name) <= 100 or not client.name.isprintable():
        raise Invalid("a name has 1 to 100 characters", "name")
    if client.scope is ClientScope.CREATE_CUSTOMER and client.product_id is None:
        raise Invalid("only a product's client makes customers: /v1/products/P/clients", "scope")
    if client.redirect_uri is not None:
        check_redirect_uri(client.redirect_uri, client.type)
    elif client.type is ClientType.WEB:
        raise Invalid("a web client needs the address that browsers are sent back to", "redirect_uri")


def check_redirect_uri(uri: str, kind: ClientType) -> None:
    """HTTPS; plain HTTP to this machine only; an app's own scheme, with a dot in it (RFC 8252 section 7).

    Raises Invalid.
    """
    if not 1 <= len(uri) <= REDIRECT_URI_MAX or not _URI.fullmatch(uri):
        raise Invalid(f"a redirect URI is at most {REDIRECT_URI_MAX} characters of a URI, without #", "redirect_uri")
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        has_user = "@" in parts.netloc
    except ValueError as error:
        raise Invalid("this is no URI", "redirect_uri") from error
    if host and not has_user and (parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host))):
        return
    if kind is ClientType.INSTALLED and _OWN_SCHEME.fullmatch(parts.scheme):
        return
    allowed = "https://..., or http://127.0.0.1..."
    if kind is ClientType.INSTALLED:
        allowed += ", or an app's own scheme such as com.example.app:/done"
    raise Invalid(f"a redirect URI is {allowed}", "redirect_uri")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _client_id(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{words or 'client'}-{secrets.token_hex(4)}"
