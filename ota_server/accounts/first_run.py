# SPDX-License-Identifier: Apache-2.0
"""The first account of a server, by a token that the server tells who starts it."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from ota_server.accounts.models import accounts
from ota_server.errors import NotFound


@dataclass(frozen=True, slots=True)
class FirstRun:
    """While nobody has an account, whoever knows the token may make one. The token is this process's own."""

    token: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)

    def is_open(self, connection: Connection) -> bool:
        """Whether nobody has an account."""
        return connection.execute(select(accounts.c.id).limit(1)).first() is None

    def check(self, connection: Connection, token: str) -> None:
        """Raises NotFound for a wrong token, and once there is an account."""
        if not hmac.compare_digest(token.encode(), self.token.encode()) or not self.is_open(connection):
            raise NotFound("this link sets up a server that nobody has an account on: sign in, or start it anew")
