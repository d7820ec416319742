# SPDX-License-Identifier: Apache-2.0
"""Pages of who is not signed in: sign in, sign up, forgotten passwords, links from mails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ota_server.accounts.addresses import EMAIL_MAX
from ota_server.accounts.models import Account
from ota_server.api.context import address_of
from ota_server.dashboard import security
from ota_server.errors import ServerError
from ota_server.services import Services

WRONG_CODE = "This code is not right. After five wrong ones, or five minutes, sign in again."
TOKEN_MAX = 100

Context = dict[str, object]
Fields = dict[str, str]
Work = Callable[[Fields, str, int], Response]
"""Takes the form's fields, where it came from, and the time."""
Again = Callable[[Fields, ServerError], Response]


class Render(Protocol):
    """Makes a page of a template."""

    def __call__(self, template: str, context: Context, status: int = 200) -> Response: ...


async def submit(request: Request, services: Services, work: Work, again: Again) -> Response:
    """Does what a form of who is not signed in asks for; `again` shows the form with what was wrong."""
    form = await request.form(max_files=0, max_fields=10)
    fields = {
        "email": security.text_of(form.get("email"))[:EMAIL_MAX],
        "password": security.text_of(form.get("password")),
        "token": security.text_of(form.get("token"))[:TOKEN_MAX],
    }
    try:
        security.check_origin(request)
        response = await asyncio.to_thread(work, fields, address_of(request), services.clock.now_ms())
    except ServerError as error:
        return again(fields, error)
    services.jobs.postman.wake()
    return response


class AccountPages:
    """The pages over one server's parts."""

    def __init__(self, services: Services, render: Render) -> None:
        self._services = services
        self._render = render

    def routes(self) -> list[Route]:
        return [
            Route("/sign-in", self._show_sign_in, methods=["GET"]),
            Route("/sign-in", self._sign_in, methods=["POST"]),
            Route("/sign-in/code", self._take_code, methods=["POST"]),
            Route("/sign-up", self._show_sign_up, methods=["GET"]),
            Route("/sign-up", self._sign_up, methods=["POST"]),
            Route("/verify", self._show_verify, methods=["GET"]),
            Route("/verify", self._verify, methods=["POST"]),
            Route("/forgot", self._show_forgot, methods=["GET"]),
            Route("/forgot", self._forgot, methods=["POST"]),
            Route("/reset", self._show_reset, methods=["GET"]),
            Route("/reset", self._reset, methods=["POST"]),
        ]

    # Signing in

    async def _show_sign_in(self, request: Request) -> Response:
        path = security.local_path(request.query_params.get("next", "/"))
        return self._render("sign_in.html", {**self._context(), "next": path})

    async def _sign_in(self, request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=10)
        path = security.local_path(security.text_of(form.get("next"), "/"))
        email, password = (
            security.text_of(form.get("email"))[:EMAIL_MAX],
            security.text_of(form.get("password")),
        )
        sign_ins = self._services.sign_ins
        try:
            security.check_origin(request)
            account = await asyncio.to_thread(sign_ins.check_password, email, password, self._now_ms())
        except ServerError as error:
            context = {**self._context(email=email, error=str(error)), "next": path}
            return self._render("sign_in.html", context, error.status)
        challenge = await asyncio.to_thread(sign_ins.ask_for_code, account, self._now_ms())
        if challenge is not None:
            return self._render("code.html", {"next": path, "error": "", "challenge": challenge})
        return await asyncio.to_thread(self._sign_in_now, request, account, path)

    async def _take_code(self, request: Request) -> Response:
        security.check_origin(request)
        form = await request.form(max_files=0, max_fields=10)
        path, challenge = (
            security.local_path(security.text_of(form.get("next"), "/")),
            security.text_of(form.get("challenge"))[:100],
        )
        code = security.text_of(form.get("code"))[:40]
        taken = await asyncio.to_thread(self._services.sign_ins.take_code, challenge, code, self._now_ms())
        if taken is None:
            return self._render("code.html", {"next": path, "challenge": challenge, "error": WRONG_CODE}, 401)
        return await asyncio.to_thread(self._sign_in_now, request, taken[0], path)

    def _sign_in_now(self, request: Request, account: Account, path: str) -> Response:
        """Goes on to a page, with the cookie of a new sign-in."""
        response = to(path)
        security.sign_in(request, response, account, self._services)
        return response

    def _now_ms(self) -> int:
        return self._services.clock.now_ms()

    # By a link in a mail

    async def _show_sign_up(self, request: Request) -> Response:
        return self._render("sign_up.html", self._context(email_of(request)))

    async def _sign_up(self, request: Request) -> Response:
        def work(fields: Fields, address: str, now_ms: int) -> Response:
            said = self._services.by_mail.sign_up(fields["email"], fields["password"], address, now_ms)
            return self._say(said)

        return await self._submit(request, "sign_up.html", work)

    async def _show_verify(self, request: Request) -> Response:
        return self._render("verify.html", self._context(email_of(request), token_of(request)))

    async def _verify(self, request: Request) -> Response:
        def work(fields: Fields, address: str, now_ms: int) -> Response:
            account, is_new = self._services.by_mail.follow(fields["token"], fields["password"], address, now_ms)
            # An account that is older may have a second factor: it signs in as always.
            return self._sign_in_now(request, account, "/") if is_new else to("/sign-in")

        return await self._submit(request, "verify.html", work)

    async def _show_forgot(self, _request: Request) -> Response:
        return self._render("forgot.html", self._context())

    async def _forgot(self, request: Request) -> Response:
        def work(fields: Fields, address: str, now_ms: int) -> Response:
            return self._say(self._services.by_mail.ask_for_password(fields["email"], address, now_ms))

        return await self._submit(request, "forgot.html", work)

    async def _show_reset(self, request: Request) -> Response:
        return self._render("reset.html", self._context(email_of(request), token_of(request)))

    async def _reset(self, request: Request) -> Response:
        def work(fields: Fields, address: str, now_ms: int) -> Response:
            self._services.by_mail.choose_password(fields["token"], fields["password"], address, now_ms)
            return to("/sign-in")

        return await self._submit(request, "reset.html", work)

    # Parts

    async def _submit(self, request: Request, template: str, work: Work) -> Response:
        """Does what a form asks for; what was wrong is shown over the same form."""

        def again(fields: Fields, error: ServerError) -> Response:
            context = self._context(fields["email"], fields["token"], str(error))
            return self._render(template, context, error.status)

        return await submit(request, self._services, work, again)

    def _context(self, email: str = "", token: str = "", error: str = "") -> Context:
        front = {"layout": "base.html", "whose": "Muster", "at": "", "asked": ""}
        return {**front, "email": email, "token": token, "error": error, "sends_mail": self._services.by_mail.is_on}

    def _say(self, text: str) -> Response:
        return self._render("said.html", {**self._context(), "heading": "Look into your mail", "text": text})


def to(path: str) -> Response:
    return RedirectResponse(path, 303, security.HEADERS)


def email_of(request: Request) -> str:
    return request.query_params.get("email", "")[:EMAIL_MAX]


def token_of(request: Request) -> str:
    return request.query_params.get("token", "")[:TOKEN_MAX]
