# SPDX-License-Identifier: Apache-2.0
"""The account itself, its tokens and its second factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from muster.client.wire import JsonObject, Wire, as_object


class AccountCalls(Wire):
    """The account itself, its tokens and its second factor."""

    def user(self) -> JsonObject:
        """Whose token it is."""
        return as_object(self.call("GET", "/user"))

    def change_user(self, values: Mapping[str, object]) -> str:
        """Changes account_info, username or password; the last two need current_password. Returns what to say."""
        return str(as_object(self.call("PUT", "/user", json=dict(values))).get("message", ""))

    def delete_user(self, password: str) -> None:
        """Deletes the account."""
        self.call("DELETE", "/user", json={"password": password})

    def begin_mfa(self) -> JsonObject:
        """A new second factor: `secret`, `otpauth_url`, and the `mfa_token` for `confirm_mfa`."""
        return as_object(self.call("GET", "/user/mfa-enable"))

    def confirm_mfa(self, mfa_token: str, code: str) -> list[str]:
        """Turns it on by a code of the secret; returns the recovery codes."""
        answer = as_object(self.call("POST", "/user/mfa-enable", json={"mfa_token": mfa_token, "otp": code}))
        codes = answer.get("recovery_codes")
        return [str(one) for one in codes] if isinstance(codes, list) else []

    def disable_mfa(self, password: str) -> None:
        """Turns the second factor off."""
        self.call("PUT", "/user/mfa-disable", json={"current_password": password})

    def tokens(self) -> list[JsonObject]:
        """The account's access tokens, by name and first characters."""
        answer = self.call("GET", "/access_tokens")
        return [as_object(item) for item in answer] if isinstance(answer, list) else []

    def create_token(self, label: str, lasts_s: int | None = None, scopes: Sequence[str] = ()) -> str:
        """Makes a token and returns it; it cannot be asked for again.

        Without `lasts_s` it does not expire; without `scopes` it is good for all that the account may do.
        """
        body: JsonObject = {"label": label}
        if scopes:
            body["scopes"] = list(scopes)
        if lasts_s is not None:
            body["expires_in"] = lasts_s
        return str(as_object(self.call("POST", "/access_tokens", json=body)).get("token", ""))

    def revoke_token(self, number: int | None = None) -> None:
        """Ends a token by the id that `tokens` gives; without one, the client's own."""
        self.call("DELETE", "/access_tokens/current" if number is None else f"/access_tokens/id/{number}")
