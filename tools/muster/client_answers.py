# SPDX-License-Identifier: Apache-2.0
"""What a server answers: objects, or an error."""

from __future__ import annotations

from muster.errors import EnvironmentFault, RefusedError

JsonObject = dict[str, object]


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
