# SPDX-License-Identifier: Apache-2.0
"""What clients ask about their own tokens: to end one (RFC 7009), and whether one is good (RFC 7662)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from ota_server.api.oauth.clients import ANY_METHOD, SECRET_METHODS, AnyClient
from ota_server.oauth.grants import Issued


@dataclass(frozen=True, slots=True)
class Held:
    """A token that is good, as Authlib asks about it."""

    issued: Issued

    def check_client(self, client: AnyClient) -> bool:
        return self.issued.client_id == client.client_id

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return False


class Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib has no types
    """Ends a token of the client; of a refresh token, all that came of it."""

    CLIENT_AUTH_METHODS = ANY_METHOD

    def query_token(self, token_string: str, _hint: str | None) -> Held | None:
        found = self.server.issued(token_string)
        return None if found is None else Held(found)

    def revoke_token(self, token: Held, _request: Any) -> None:
        self.server.revoke(token.issued)


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """Says whether a token of the client is good, and for whom it acts."""

    CLIENT_AUTH_METHODS = SECRET_METHODS

    def query_token(self, token_string: str, _hint: str | None) -> Held | None:
        found = self.server.issued(token_string)
        return None if found is None else Held(found)

    def check_permission(self, token: Held, client: AnyClient, _request: Any) -> bool:
        return token.check_client(client)

    def introspect_token(self, token: Held) -> dict[str, Any]:
        found = token.issued
        about: dict[str, Any] = {"active": True, "client_id": found.client_id, "token_type": "bearer"}
        if found.scopes is not None:
            about["scope"] = found.scopes
        if found.expires_ms is not None:
            about["exp"] = found.expires_ms // 1000
        holder = None if found.grant is None else self.server.holder_of(found.grant)
        if holder is not None:
            about["username"] = holder.email
        return about


ENDPOINTS = (Revocation, Introspection)
