# SPDX-License-Identifier: Apache-2.0
"""What signs in for the visitor: access tokens, and browsers."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.accounts import store
from ota_server.accounts.models import Token
from ota_server.api import own_account
from ota_server.dashboard.forms import Filled, filled
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.security import Visitor, text_of
from ota_server.errors import Invalid, NotFound, ServerError
from ota_server.numbers import ROW_MAX, digits
from ota_server.organizations.roles import Permission, parse_scopes

TOKENS = "/account/tokens"
BROWSERS = "/account/browsers"
ALL, OTHERS = "all", "others"
DAY_S = 24 * 3600
LASTS = (("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "until it is revoked"))
"""Days, and their words."""
# What browsers and systems call themselves, the more particular ones first: each names some of the others, too.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


class OwnTokenPages:
    """Access tokens and signed-in browsers of the visitor's account."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page = self._frame.page
        return [
            Route(TOKENS, page(self._tokens), methods=["GET"]),
            Route(TOKENS, page(self._make), methods=["POST"]),
            Route(f"{TOKENS}/{{token}}/revoke", page(self._ask_to_revoke), methods=["GET"]),
            Route(f"{TOKENS}/{{token}}/revoke", page(self._revoke), methods=["POST"]),
            Route(BROWSERS, page(self._browsers)),
            Route(f"{BROWSERS}/{{browser}}/end", page(self._end), methods=["POST"]),
        ]

    # Access tokens

    async def _tokens(self, _request: Request, visitor: Visitor) -> Response:
        return await self._token_page(visitor, Filled())

    async def _token_page(
        self, visitor: Visitor, form: Filled, ticked: Collection[str] = (), told: tuple[str, str] | None = None
    ) -> Response:
        """`told`: a token's name, and the token, which is shown this once."""
        context: Context = {
            "tokens": await self._of_visitor(visitor),
            "products": {one.id: one for one in visitor.products},
            "permissions": list(Permission),
            "lasts": LASTS,
            "ticked": ticked,
            "filled": form,
            "told": told,
        }
        return self._frame.render("account-tokens.html", visitor, None, context, form.status)

    async def _of_visitor(self, visitor: Visitor) -> list[Token]:
        now_ms = self._frame.now_ms()
        return await self._frame.read(lambda connection: store.tokens_of(connection, visitor.account.id, now_ms))

    async def _make(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        services, label, ticked = self._frame.services, text_of(form.get("label")), form.getlist("scopes")
        names = [one for one in ticked if isinstance(one, str)]
        try:
            lasts_s, scopes = _lasts_s(text_of(form.get("days"))), parse_scopes(names) or None
            token = await self._frame.beside(
                lambda: own_account.add_token(services, visitor.actor, label, lasts_s, scopes)
            )
        except ServerError as error:
            return await self._token_page(visitor, filled("token", form, error), names)
        return await self._token_page(visitor, Filled(), told=(label.strip(), token))

    async def _find(self, request: Request, visitor: Visitor) -> Token | None:
        """The token of the path; None for all of them. Raises NotFound."""
        name = request.path_params["token"]
        if name == ALL:
            return None
        found = next((one for one in await self._of_visitor(visitor) if str(one.id) == name), None)
        if found is None:
            raise NotFound("there is no such access token")
        return found

    async def _ask_to_revoke(self, request: Request, visitor: Visitor) -> Response:
        found = await self._find(request, visitor)
        context: Context = {"token": found, "count": len(await self._of_visitor(visitor))}
        return self._frame.render("account-token-revoke.html", visitor, None, context)

    async def _revoke(self, request: Request, visitor: Visitor) -> Response:
        await self._frame.form(request, visitor)
        found, services = await self._find(request, visitor), self._frame.services
        if found is None:
            await self._frame.beside(lambda: own_account.revoke_all_tokens(services, visitor.actor))
        else:
            await self._frame.beside(lambda: own_account.revoke_token(services, visitor.actor, found.id))
        return go(TOKENS)

    # Browsers

    async def _browsers(self, _request: Request, visitor: Visitor) -> Response:
        now_ms = self._frame.now_ms()

        def read(connection: Connection) -> Context:
            found = store.browsers_of(connection, visitor.account.id, now_ms)
            return {"browsers": [(one, words_of(one.agent)) for one in found]}

        context = {**await self._frame.read(read), "current": visitor.session.browser.id}
        return self._frame.render("account-browsers.html", visitor, None, context)

    async def _end(self, request: Request, visitor: Visitor) -> Response:
        await self._frame.form(request, visitor)
        name, services = request.path_params["browser"], self._frame.services
        current = visitor.session.browser.id
        if name == OTHERS:
            await self._frame.beside(lambda: own_account.end_browsers(services, visitor.actor, current))
            return go(BROWSERS)
        number = digits(name, ROW_MAX)
        if number is None:
            raise NotFound("this browser is not signed in any more")
        await self._frame.beside(lambda: own_account.end_browser(services, visitor.actor, number))
        return go(BROWSERS)


def words_of(agent: str) -> str:
    """What a browser is, by what it says of itself, such as "Firefox on Linux"."""
    browser = next((words for mark, words in _BROWSERS if mark in agent), "")
    system = next((words for mark, words in _SYSTEMS if mark in agent), "")
    return " on ".join(one for one in (browser or "Another program", system) if one)


def _lasts_s(days: str) -> int | None:
    """Raises Invalid."""
    if days not in {known for known, _ in LASTS}:
        raise Invalid(f"one of {', '.join(words for _, words in LASTS)}", "days")
    return int(days) * DAY_S if days else None
