# SPDX-License-Identifier: Apache-2.0
"""Who may see the pages: the sign-in cookie, form tokens, and the headers that keep other sites out."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from ota_server.accounts import service as accounts
from ota_server.accounts import store
from ota_server.accounts.models import Account, WebSession
from ota_server.api.context import address_of
from ota_server.errors import Forbidden, Unavailable
from ota_server.organizations import branding
from ota_server.organizations.access import Actor, actor_of
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.services import Services

COOKIE = "muster_session"

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def headers_to(redirect_uri: str) -> dict[str, str]:
    """The pages' headers, which let a form's answer lead to a client as well, and to nowhere else."""
    parts = urlsplit(redirect_uri)
    is_plain = re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", parts.netloc) is not None
    place = f"{parts.scheme}://{parts.netloc}" if is_plain else f"{parts.scheme}:"
    policy = HEADERS["content-security-policy"].replace("form-action 'self'", f"form-action 'self' {place}")
    return HEADERS | {"content-security-policy": policy}


class SignInNeeded(Exception):
    """Nobody is signed in: the page asks for it and comes back to `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in browser, and what its account may do.

    Attributes:
        products: what it can switch to, by id.
        logos: the public addresses of its organizations' logos, by the organization's id.
    """

    session: WebSession
    actor: Actor
    products: Sequence[Product] = ()
    logos: Mapping[int, str] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        return self.session.account

    @property
    def form_token(self) -> str:
        return self.session.form_token

    def may(self, owner: Product | Organization, permission: str) -> bool:
        """For templates: what the account may not do is not offered. `permission`: a name in `Permission`."""
        key = owner.organization_id if isinstance(owner, Product) else owner.id
        return self.actor.may(key, Permission[permission])


async def signed_in(request: Request, services: Services) -> Visitor:
    """Who is signed in. Raises SignInNeeded."""
    session = await asyncio.to_thread(find_session, request, services)
    if session is None:
        query = f"?{request.url.query}" if request.url.query else ""
        raise SignInNeeded(request.url.path + query if request.method == "GET" else "/")
    return session


def find_session(request: Request, services: Services) -> Visitor | None:
    """The session of the request's cookie, while it lasts."""
    cookie = request.cookies.get(COOKIE)
    if not cookie or not cookie.isascii():
        return None
    with services.database.read() as connection:
        session = accounts.web_session(connection, cookie, services.clock.now_ms())
        if session is None:
            return None
        actor = actor_of(connection, session.account, address_of(request))
        _note(services, session, actor.address)
        return Visitor(session, actor, actor.products(connection), branding.logos(connection, actor.organizations))


def _note(services: Services, session: WebSession, address: str) -> None:
    """Notes now and then when a browser was used last."""
    browser, now_ms = session.browser, services.clock.now_ms()
    if browser.used_ms < now_ms - accounts.SEEN_EVERY_MS:
        # A server that is busy lets people read all the same.
        with contextlib.suppress(Unavailable):
            services.database.submit(lambda connection: store.was_seen(connection, browser, address, now_ms))


def agent_of(request: Request) -> str:
    """What a browser says it is."""
    return request.headers.get("user-agent", "")


def check_form(request: Request, session: Visitor, form: FormData) -> None:
    """Raises Forbidden unless the form was made by this server for this session."""
    check_origin(request)
    given = form.get("form_token")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), session.form_token.encode()):
        raise Forbidden("this form is not of your session any more: load the page again")


def check_origin(request: Request) -> None:
    """Raises Forbidden for a form that a page of another site sends."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Forbidden("this form comes from another site")


def text_of(value: object, default: str = "") -> str:
    """A field of a form that is text."""
    return value if isinstance(value, str) else default


def sign_in(request: Request, response: Response, account: Account, services: Services) -> None:
    """Signs the browser of a request in, with its answer."""
    address, agent, now_ms = address_of(request), agent_of(request), services.clock.now_ms()
    cookie = services.database.write(
        lambda connection: accounts.sign_in(connection, account, now_ms, address, agent),
    )
    set_cookie(response, cookie, services)


def set_cookie(response: Response, cookie: str, services: Services) -> None:
    """Signs a browser in."""
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=accounts.SIGN_IN_HOURS * 3600,
        httponly=True,
        samesite="lax",
        secure=services.settings.is_secure_cookie,
    )


def local_path(path: str) -> str:
    """A path of this server to go to after signing in; the first page for anything else."""
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_local else "/"
