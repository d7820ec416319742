# SPDX-License-Identifier: Apache-2.0
"""Requests to the OAuth endpoints, as Authlib takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from authlib.oauth2.rfc6749 import OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload, OAuth2Payload
from starlette.requests import Request

from ota_server.api.context import address_of
from ota_server.errors import Invalid
from ota_server.oauth.models import Grant

FIELDS_MAX = 20


class TokenRequest(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request's fields, from a form or from JSON."""

    def __init__(self, request: Request, fields: Mapping[str, str]) -> None:
        # Whether the way here was safe is for the proxy before us to say: the path is all that Authlib needs.
        super().__init__(
            "POST", "https://server/oauth/token", headers={"Authorization": request.headers.get("authorization", "")}
        )
        self.payload = BasicOAuth2Payload(fields)
        self.address = address_of(request)
        self.grant: Grant | None = None

    @property
    def form(self) -> Mapping[str, str]:
        return self.payload.data  # type: ignore[no-any-return]


class _Fields(OAuth2Payload):  # type: ignore[misc]
    """Fields that may come more than once, which Authlib refuses."""

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self._items = items

    @property
    def data(self) -> dict[str, str]:
        return dict(self._items)

    @property
    def datalist(self) -> dict[str, list[str]]:
        return {key: [value for name, value in self._items if name == key] for key, _ in self._items}


class AuthorizeRequest(OAuth2Request):  # type: ignore[misc]
    """What a client asks a person for, by way of their browser."""

    def __init__(self, request: Request, items: list[tuple[str, str]]) -> None:
        super().__init__("GET", "https://server/oauth/authorize")
        self.payload = _Fields(items)
        self.address = address_of(request)
        self.grant: Grant | None = None


async def read_fields(request: Request) -> dict[str, str]:
    """The body's fields: a form's or a JSON object's. Raises Invalid, HTTPException."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            found = json.loads(await request.body())
        except ValueError as error:
            raise Invalid("the body is no JSON") from error
        if not isinstance(found, dict):
            raise Invalid("send an object with grant_type and its fields")
        return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}
    async with request.form(max_files=0, max_fields=FIELDS_MAX) as form:
        return {key: value for key, value in form.items() if isinstance(value, str)}
