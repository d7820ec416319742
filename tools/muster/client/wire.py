# SPDX-License-Identifier: Apache-2.0
"""One connection to a server's management API, and what may go wrong on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from muster.errors import EnvironmentFault, RefusedError

JsonObject = dict[str, object]

TIMEOUT_S = 30.0


class ServerUnreachable(EnvironmentFault):
    """No answer, or one that is not the API's."""


class ServerRefused(RefusedError):
    """The server said no.

    Attributes:
        http_status: 400 to 599.
        code: the API's name of the error, such as `not_found`.
        facts: the whole answer.
    """

    def __init__(self, message: str, http_status: int, code: str, facts: JsonObject | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.facts: JsonObject = facts or {}


class Wire:
    """Every method, of this class and of those below it, raises ServerUnreachable or ServerRefused.

    Args:
        url: where the server listens, such as http://127.0.0.1:8000.
        token: an access token.
        transport: for tests.
    """

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/v1", headers=headers, timeout=TIMEOUT_S, transport=transport
        )
        self._url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        json: object = None,
        params: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> object:
        """Asks for something; the answer's JSON, or None."""
        return answer_of(self._http, self._url, method, path, json=json, params=params, files=files, data=data)

    def pieces(self, path: str, params: Mapping[str, str]) -> Iterator[bytes]:
        """A body that may be long."""
        try:
            with self._http.stream("GET", path, params=params) as response:
                if response.is_success:
                    yield from response.iter_bytes()
                    return
                response.read()
        except httpx.HTTPError as error:
            raise _unreachable(self._url, error) from error
        _checked(response, self._url)

    def lines(self, path: str) -> Iterator[str]:
        """Lines of an answer that does not end by itself."""
        try:
            with self._http.stream("GET", path) as response:
                if not response.is_success:
                    response.read()
                    _checked(response, self._url)
                yield from response.iter_lines()
        except httpx.HTTPError as error:
            raise _unreachable(self._url, error) from error


def answer_of(http: httpx.Client, url: str, method: str, path: str, **arguments: Any) -> object:
    """The JSON of an answer, or None. Raises ServerUnreachable, ServerRefused."""
    try:
        response = http.request(method, path, **arguments)
    except httpx.HTTPError as error:
        raise _unreachable(url, error) from error
    return _checked(response, url)


def _unreachable(url: str, error: httpx.HTTPError) -> ServerUnreachable:
    return ServerUnreachable(f"no answer from {url}: {error} (is `muster serve` running?)")


def _checked(response: httpx.Response, url: str) -> object:
    if response.status_code == httpx.codes.NO_CONTENT:
        return None
    try:
        answer: object = response.json()
    except ValueError as error:
        raise ServerUnreachable(f"{url} does not answer as a Muster server does") from error
    if response.is_success:
        return answer
    facts = answer if isinstance(answer, dict) else {}
    text = str(facts.get("error_description", f"status {response.status_code}"))
    raise ServerRefused(text, response.status_code, str(facts.get("code") or facts.get("error", "")), facts)


def given(filters: Mapping[str, str] | None) -> dict[str, str]:
    """Those filters that are no empty text."""
    return {name: value for name, value in (filters or {}).items() if value}


def as_object(value: object) -> JsonObject:
    """An answer that is an object. Raises ServerUnreachable."""
    if not isinstance(value, dict):
        raise ServerUnreachable("the server's answer is not an object")
    return value


def object_in(value: object, name: str) -> JsonObject:
    """An object inside of an answer. Raises ServerUnreachable."""
    return as_object(as_object(value).get(name))


def objects_in(value: object, name: str) -> list[JsonObject]:
    """A list of objects inside of an answer. Raises ServerUnreachable."""
    items = as_object(value).get(name)
    return [as_object(item) for item in items] if isinstance(items, list) else []
