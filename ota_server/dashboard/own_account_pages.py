# SPDX-License-Identifier: Apache-2.0
"""The visitor's own account: name, address, password, second factor, and its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import segno
from markupsafe import Markup
from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.accounts import mfa, store
from ota_server.accounts.addresses import EMAIL_MAX
from ota_server.accounts.models import AccountInfo
from ota_server.accounts.service import PASSWORD_MAX, PASSWORD_MIN
from ota_server.api import own_account
from ota_server.api.own_account import Changes
from ota_server.dashboard import security
from ota_server.dashboard.forms import Filled, filled
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.security import Visitor, text_of
from ota_server.errors import Invalid, ServerError

PATH = "/account"
NAME_MAX = 100
TOKEN_MAX = 100
SAID = {
    "names": "Saved.",
    "email": "A mail with a link is on its way. The address changes when that link is followed.",
    "password": "The password has changed. All other browsers are signed out; access tokens go on.",
    "password-and-tokens": "The password has changed. All other browsers are signed out, access tokens have ended.",
    "factor-off": "The second factor is off. From now on the password alone signs you in.",
}
"""What is told after a form, by the query of the address."""
WRONG_CODE = (
    "this code is not right: a code works once and for half a minute, so try the next one, and see that the clock of "
    "your telephone is right"
)


class OwnAccountPages:
    """Who the visitor is here."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, factor = self._frame.page, f"{PATH}/second-factor"
        return [
            Route(PATH, page(self._show)),
            Route(f"{PATH}/names", page(self._set_names), methods=["POST"]),
            Route(f"{PATH}/email", page(self._set_email), methods=["POST"]),
            Route(f"{PATH}/password", page(self._set_password), methods=["POST"]),
            Route(factor, page(self._begin_factor), methods=["POST"]),
            Route(f"{factor}/confirm", page(self._confirm_factor), methods=["POST"]),
            Route(f"{factor}/codes", page(self._renew_codes), methods=["POST"]),
            Route(f"{factor}/off", page(self._end_factor), methods=["POST"]),
            Route(f"{PATH}/delete", page(self._ask_to_delete), methods=["GET"]),
            Route(f"{PATH}/delete", page(self._delete), methods=["POST"]),
        ]

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        return await self._page(visitor, Filled(), SAID.get(request.query_params.get("said", ""), ""))

    async def _page(self, visitor: Visitor, form: Filled, said: str = "") -> Response:
        me = visitor.account

        def read(connection: Connection) -> Context:
            return {
                "info": store.info(connection, me.id),
                "factor_is_on": mfa.is_on(connection, me.id),
                "codes_left": mfa.codes_left(connection, me.id),
            }

        context: Context = {
            **await self._frame.read(read),
            "sends_mail": self._frame.services.by_mail.is_on,
            "email_max": EMAIL_MAX,
            "password_min": PASSWORD_MIN,
            "password_max": PASSWORD_MAX,
            "filled": form,
            "said": said,
        }
        return self._frame.render("account.html", visitor, None, context, form.status)

    # Names, address, password

    async def _change(
        self, request: Request, visitor: Visitor, name: str, changes: Callable[[FormData], Changes]
    ) -> Response | None:
        """What a form asks for; the page again where it was wrong, otherwise None."""
        form = await self._frame.form(request, visitor)
        try:
            wanted, password = changes(form), text_of(form.get("current_password"))
            await self._frame.beside(lambda: own_account.change(self._frame.services, visitor.actor, wanted, password))
        except ServerError as error:
            return await self._page(visitor, filled(name, form, error))
        return None

    async def _set_names(self, request: Request, visitor: Visitor) -> Response:
        def changes(form: FormData) -> Changes:
            first, last, company = (_name(form, one) for one in ("first_name", "last_name", "company_name"))
            return Changes(AccountInfo(first, last, company, bool(company)))

        return await self._change(request, visitor, "names", changes) or _say("names")

    async def _set_email(self, request: Request, visitor: Visitor) -> Response:
        def changes(form: FormData) -> Changes:
            return Changes(email=text_of(form.get("email")))

        return await self._change(request, visitor, "email", changes) or _say("email")

    async def _set_password(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        ends_tokens = form.get("ends_tokens") is not None

        def changes(form: FormData) -> Changes:
            password = text_of(form.get("password"))
            if password != form.get("again"):
                raise Invalid("this is not the same as above", "again")
            return Changes(password=password, ends_tokens=ends_tokens)

        wrong = await self._change(request, visitor, "password", changes)
        if wrong is not None:
            return wrong
        # All browsers are signed out by now, this one too: whoever has a copy of its cookie is out as well.
        response = _say("password-and-tokens" if ends_tokens else "password")
        await self._frame.beside(lambda: security.sign_in(request, response, visitor.account, self._frame.services))
        return response

    # The second factor

    async def _begin_factor(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        services = self._frame.services
        try:
            secret, token = await self._frame.beside(lambda: own_account.begin_mfa(services, visitor.actor))
        except ServerError as error:
            return await self._page(visitor, filled("factor", form, error))
        return self._factor_page(visitor, secret, token, Filled())

    def _factor_page(self, visitor: Visitor, secret: str, token: str, form: Filled) -> Response:
        link = mfa.uri_of(secret, visitor.actor.email)
        context: Context = {
            "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
            "link": link,
            "picture": qr_code(link),
            "token": token,
            "minutes": mfa.LASTS_MS // 60_000,
            "filled": form,
        }
        return self._frame.render("account-factor.html", visitor, None, context, form.status)

    async def _confirm_factor(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        services, me, now_ms = self._frame.services, visitor.account, self._frame.now_ms()
        token, code = text_of(form.get("mfa_token"))[:TOKEN_MAX], text_of(form.get("otp"))[:40]
        try:
            codes = await self._frame.beside(
                lambda: own_account.confirm_mfa(services, visitor.actor, token, code, ends_tokens=False)
            )
        except Invalid as error:
            secret = await self._frame.read(lambda connection: mfa.asked_secret(connection, me.id, token, now_ms))
            if secret is None:
                return await self._page(visitor, filled("factor", form, error))
            return self._factor_page(visitor, secret, token, filled("confirm", form, Invalid(WRONG_CODE, "otp")))
        return self._codes_page(visitor, codes, is_new=True)

    def _codes_page(self, visitor: Visitor, codes: Sequence[str], is_new: bool) -> Response:
        """Shown this once. `is_new`: the second factor was turned on just now."""
        context: Context = {"codes": codes, "is_new": is_new}
        return self._frame.render("account-codes.html", visitor, None, context)

    async def _renew_codes(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        services, password = self._frame.services, text_of(form.get("current_password"))
        try:
            codes = await self._frame.beside(
                lambda: own_account.renew_recovery_codes(services, visitor.actor, password)
            )
        except ServerError as error:
            return await self._page(visitor, filled("codes", form, error))
        return self._codes_page(visitor, codes, is_new=False)

    async def _end_factor(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        services, password = self._frame.services, text_of(form.get("current_password"))
        try:
            await self._frame.beside(lambda: own_account.disable_mfa(services, visitor.actor, password))
        except ServerError as error:
            return await self._page(visitor, filled("off", form, error))
        return _say("factor-off")

    # The end

    async def _ask_to_delete(self, _request: Request, visitor: Visitor) -> Response:
        return self._delete_page(visitor, Filled())

    def _delete_page(self, visitor: Visitor, form: Filled) -> Response:
        context: Context = {"filled": form, "password_max": PASSWORD_MAX}
        return self._frame.render("account-delete.html", visitor, None, context, form.status)

    async def _delete(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        services, password = self._frame.services, text_of(form.get("current_password"))
        try:
            await self._frame.beside(lambda: own_account.delete(services, visitor.actor, password))
        except ServerError as error:
            return self._delete_page(visitor, filled("delete", form, error))
        response = go("/sign-in")
        response.delete_cookie(security.COOKIE)
        return response


def qr_code(text: str) -> Markup:
    """A picture that telephones read, dark on light in both themes, since not all of them read it otherwise."""
    drawn = segno.make(text, micro=False).svg_inline(scale=4, dark="#000", light="#fff", svgclass="qr")
    return Markup(drawn)  # noqa: S704  # made of numbers alone


def _say(what: str) -> Response:
    return go(f"{PATH}?said={what}")


def _name(form: FormData, field: str) -> str:
    """Raises Invalid."""
    text = text_of(form.get(field)).strip()
    if len(text) > NAME_MAX or not text.isprintable():
        raise Invalid(f"at most {NAME_MAX} characters, on one line", field)
    return text
