# SPDX-License-Identifier: Apache-2.0
"""Organizations and their teams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from muster.client.wire import JsonObject, Wire, as_object, given, object_in, objects_in


class OrganizationCalls(Wire):
    """Organizations and their teams."""

    def organizations(self) -> list[JsonObject]:
        """The account's organizations."""
        return objects_in(self.call("GET", "/orgs"), "organizations")

    def create_organization(self, name: str) -> JsonObject:
        """Makes an organization that the account administers."""
        return object_in(self.call("POST", "/orgs", json={"organization": {"name": name}}), "organization")

    def usage(self, organization: str, days: Mapping[str, str] | None = None) -> JsonObject:
        """What it uses; `days`: `from` and `to`, such as 2026-11-23."""
        return object_in(self.call("GET", f"/orgs/{quote(organization)}/usage", params=dict(days or {})), "usage")

    def branding(self, organization: str) -> JsonObject:
        """How an organization looks to its customers."""
        return object_in(self.call("GET", f"/orgs/{quote(organization)}/branding"), "branding")

    def set_branding(self, organization: str, values: Mapping[str, str]) -> JsonObject:
        """Changes name, support_email, color or background."""
        return object_in(self.call("PUT", f"/orgs/{quote(organization)}/branding", json=dict(values)), "branding")

    def set_logo(self, organization: str, raw: bytes) -> JsonObject:
        """Uploads a PNG file; without bytes, removes the logo."""
        path = f"/orgs/{quote(organization)}/branding/logo"
        if not raw:
            return object_in(self.call("DELETE", path), "branding")
        return object_in(self.call("PUT", path, files={"file": ("logo.png", raw, "image/png")}), "branding")

    def transfer_organization(self, organization: str, email: str) -> JsonObject:
        """Gives an organization to another administrator; returns its team."""
        return as_object(self.call("PUT", f"/orgs/{quote(organization)}/owner", json={"username": email}))

    def rename_organization(self, organization: str, name: str) -> JsonObject:
        """Gives it another name; its slug stays."""
        return object_in(self.call("PUT", f"/orgs/{quote(organization)}", json={"name": name}), "organization")

    def audit(self, organization: str, limit: int = 200, filters: Mapping[str, str] | None = None) -> list[JsonObject]:
        """Who did what, newest first; filters are by, action, subject, since, until."""
        query = {**given(filters), "limit": str(limit)}
        return objects_in(self.call("GET", f"/orgs/{quote(organization)}/audit", params=query), "audit")

    def audit_csv(self, organization: str, filters: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """All of it as CSV, in pieces."""
        query = {**given(filters), "format": "csv"}
        yield from self.pieces(f"/orgs/{quote(organization)}/audit", query)

    def team(self, organization: str) -> JsonObject:
        """`team` and `invitations`."""
        return as_object(self.call("GET", f"/orgs/{quote(organization)}/team"))

    def invite(self, organization: str, email: str, role: str) -> JsonObject:
        """Invites an address; returns what `team` does."""
        body = {"username": email, "role": role}
        return as_object(self.call("POST", f"/orgs/{quote(organization)}/team", json=body))

    def set_role(self, organization: str, email: str, role: str) -> JsonObject:
        """Gives a member another role; returns what `team` does."""
        path = f"/orgs/{quote(organization)}/team/{quote(email)}"
        return as_object(self.call("PUT", path, json={"role": role}))

    def remove_member(self, organization: str, email: str) -> None:
        """Takes a member out of the team, or withdraws an invitation."""
        self.call("DELETE", f"/orgs/{quote(organization)}/team/{quote(email)}")

    def invitations(self) -> list[JsonObject]:
        """Invitations to the account's address."""
        return objects_in(self.call("GET", "/user/invitations"), "invitations")

    def answer_invitation(self, organization: str, accept: bool) -> JsonObject:
        """Joins an organization, or declines to."""
        path = f"/user/invitations/{quote(organization)}"
        return object_in(self.call("POST", path, json={"accept": accept}), "invitation")
