# SPDX-License-Identifier: Apache-2.0
"""Every error that a caller of the server meets; each is one HTTP status, and all have one JSON shape.

    ServerError
    +-- Invalid         400  a field has no legal value, or an upload is not what it claims to be
    +-- Unauthorized    401  no token, no session, or a wrong password
    +-- Forbidden       403  a role that may not, or a form without its token
    |   +-- LimitReached     more than whoever runs the server allows
    +-- NotFound        404
    +-- TimedOut        408  a device has not answered in time
    +-- Conflict        409  well-formed, and not possible in this state
    +-- TooLarge        413
    +-- TooMany         429  come back later
    +-- Unavailable     503  too much to do, or the database cannot be used: come back later

The shape is Particle's, and a code for programs: {"ok": false, "error": sentence, "error_description": the same one,
"code": code}. Particle's command line shows the first, its SDK the second.
"""

# The names say what is wrong; a second "Error" at their end would say nothing.
from __future__ import annotations


class ServerError(Exception):
    """Root of the server's errors."""

    status = 500
    code = "server_error"
    known_as: str | None = None
    """What Particle's tools look for in `error`."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field

    def to_json(self) -> dict[str, object]:
        """The one shape of an error."""
        body = refusal(self.code, str(self), self.field)
        return body if self.known_as is None else body | {"error": self.known_as}


def refusal(code: str, sentence: str, field: str | None = None) -> dict[str, object]:
    """The one shape of an error; `field` names the value that it is about."""
    body: dict[str, object] = {"ok": False, "error": sentence, "error_description": sentence, "code": code}
    return body if field is None else body | {"field": field}


class Invalid(ServerError):
    """A field has no legal value, or an upload is not what it claims to be."""

    status = 400
    code = "invalid_request"


class Unauthorized(ServerError):
    """No token, no session, or a wrong password."""

    status = 401
    code = known_as = "invalid_token"


class Forbidden(ServerError):
    """The account's role does not allow it, or a form was not made by this server for this session."""

    status = 403
    code = "forbidden"


class LimitReached(Forbidden):
    """More than whoever runs the server allows."""

    code = "limit_reached"


class NotFound(ServerError):
    """There is no such thing."""

    status = 404
    code = "not_found"


class TimedOut(ServerError):
    """A device has not answered in time."""

    status = 408
    code = "timed_out"
    known_as = "Timed out."

    def __init__(self) -> None:
        super().__init__("the device did not answer in time; it may still do what it was asked")


class Conflict(ServerError):
    """Well-formed, and not possible in this state."""

    status = 409
    code = "conflict"


class TooLarge(ServerError):
    """An upload beyond its limit."""

    status = 413
    code = "too_large"


class TooMany(ServerError):
    """Come back later."""

    status = 429
    code = "too_many_requests"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(ServerError):
    """Too much to do, or the database cannot be used now. A write that fails so may have been kept, and may not."""

    status = 503
    code = "unavailable"
    retry_after_s = 30
