# SPDX-License-Identifier: Apache-2.0
"""Signing in: an access token for a password, and a code where there is a second factor."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from muster.client.wire import TIMEOUT_S, ServerRefused, answer_of, as_object

CLIENT = "muster"
"""The OAuth client that our own commands are; every server knows it."""


class CodeNeeded(ServerRefused):
    """The password is right, and the account has a second factor: a code is missing."""

    def __init__(self, refusal: ServerRefused, mfa_token: str) -> None:
        super().__init__(str(refusal), refusal.http_status, refusal.code)
        self.mfa_token = mfa_token


def sign_in(url: str, email: str, password: str, transport: httpx.BaseTransport | None = None) -> str:
    """Trades an address and a password for an access token (OAuth 2, RFC 6749 section 4.3).

    Raises:
        CodeNeeded: `send_code` must follow.
        ServerUnreachable, ServerRefused: as the methods of ServerClient.
    """
    return _token(url, {"grant_type": "password", "username": email, "password": password}, transport)


def send_code(url: str, mfa_token: str, code: str, transport: httpx.BaseTransport | None = None) -> str:
    """The second half of a sign-in, by a code of the authenticator app or a recovery code. Raises as `sign_in`."""
    return _token(url, {"grant_type": "urn:custom:mfa-otp", "mfa_token": mfa_token, "otp": code}, transport)


def _token(url: str, form: Mapping[str, str], transport: httpx.BaseTransport | None) -> str:
    with httpx.Client(base_url=url.rstrip("/"), timeout=TIMEOUT_S, transport=transport) as http:
        try:
            answer = answer_of(http, url, "POST", "/oauth/token", data={"client_id": CLIENT, **form})
        except ServerRefused as error:
            if error.code == "mfa_required":
                raise CodeNeeded(error, str(error.facts.get("mfa_token", ""))) from error
            raise
    return str(as_object(answer).get("access_token", ""))
