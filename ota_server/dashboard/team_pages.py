# SPDX-License-Identifier: Apache-2.0
"""An organization's team: people, programs, and who is invited."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.api import team
from ota_server.dashboard.forms import Filled, filled
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.security import Visitor, text_of
from ota_server.errors import Invalid, NotFound, ServerError
from ota_server.organizations import api_users, service, store
from ota_server.organizations.api_users import ApiUser
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import PERMISSIONS, Permission, Role, parse_scopes
from ota_server.products.models import Product


class TeamPages:
    """Who may do what in an organization."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/organizations/{organization}/team"
        return [
            Route(base, page(self._show)),
            Route(f"{base}/invite", page(self._invite), methods=["POST"]),
            Route(f"{base}/role", page(self._change_role), methods=["POST"]),
            Route(f"{base}/programs", page(self._add_program), methods=["POST"]),
            Route(f"{base}/token", page(self._rotate), methods=["POST"]),
            Route(f"{base}/remove", page(self._ask_to_remove), methods=["GET"]),
            Route(f"{base}/remove", page(self._remove), methods=["POST"]),
            Route(f"{base}/owner", page(self._ask_to_transfer), methods=["GET"]),
            Route(f"{base}/owner", page(self._transfer), methods=["POST"]),
        ]

    # Showing

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        organization = self._frame.organization(request, visitor, Permission.VIEW_TEAM)
        return await self._page(visitor, organization, invited=request.query_params.get("invited", ""))

    async def _page(
        self,
        visitor: Visitor,
        organization: Organization,
        form: Filled | None = None,
        invited: str = "",
        told: tuple[ApiUser, str] | None = None,
    ) -> Response:
        """`told`: a program and its token, which is shown this once."""

        def read(connection: Connection) -> Context:
            invitations = store.invitations_of(connection, organization.id)
            return {
                "members": store.members_of(connection, organization.id),
                "signed_in": store.signed_in(connection, organization.id),
                "programs": api_users.of_organization(connection, organization.id),
                "invitations": invitations,
                "invited": next((one for one in invitations if one.email == invited), None),
            }

        may = visitor.actor.permissions[organization.id]
        products = {one.id: one for one in visitor.products if one.organization_id == organization.id}
        context: Context = {
            **await self._frame.read(read),
            "products": products,
            "roles": [(role.value, role.label) for role in Role if PERMISSIONS[role] <= may],
            "choices": [("", "all products"), *((one.slug, one.name) for one in products.values())],
            "permissions": list(Permission),
            "sends_mail": self._frame.services.by_mail.is_on,
            "address": self._frame.services.settings.public_url,
            "filled": form or Filled(),
            "told": told,
        }
        return self._frame.render("team.html", visitor, organization, context, (form or Filled()).status)

    # Forms

    async def _sent(self, request: Request, visitor: Visitor) -> tuple[Organization, FormData]:
        """A form of who may change the team. Raises Forbidden, NotFound."""
        form = await self._frame.form(request, visitor)
        return self._frame.organization(request, visitor, Permission.MANAGE_TEAM), form

    async def _invite(self, request: Request, visitor: Visitor) -> Response:
        organization, form = await self._sent(request, visitor)
        email, services = text_of(form.get("email")), self._frame.services
        try:
            role = team.parse_role(text_of(form.get("role")))
            await asyncio.to_thread(team.invite, services, visitor.actor, organization, email, role)
        except ServerError as error:
            return await self._page(visitor, organization, filled("invite", form, error))
        return go(f"{_path(organization)}?invited={quote(email.strip().lower())}")

    async def _change_role(self, request: Request, visitor: Visitor) -> Response:
        organization, form = await self._sent(request, visitor)
        who = text_of(form.get("username"))
        try:
            role = team.parse_role(text_of(form.get("role")))
            await asyncio.to_thread(team.change_role, self._frame.services, visitor.actor, organization, who, role)
        except ServerError as error:
            return await self._page(visitor, organization, filled("role", form, error))
        return go(_path(organization))

    async def _add_program(self, request: Request, visitor: Visitor) -> Response:
        organization, form = await self._sent(request, visitor)
        try:
            scopes = parse_scopes(text_of(one) for one in form.getlist("scopes"))
            product = await self._product(visitor, organization, text_of(form.get("product")))
            told = await asyncio.to_thread(
                team.add_api_user,
                self._frame.services,
                visitor.actor,
                organization,
                product,
                text_of(form.get("friendly_name")),
                scopes,
            )
        except ServerError as error:
            return await self._page(visitor, organization, filled("program", form, error))
        return await self._page(visitor, organization, told=told)

    async def _product(self, visitor: Visitor, organization: Organization, name: str) -> Product | None:
        """One of the organization's; None for an empty name. Raises NotFound."""
        if not name:
            return None
        found = next((one for one in visitor.products if one.slug == name), None)
        if found is None or found.organization_id != organization.id:
            raise NotFound(f"{organization.name} has no product {name}", "product")
        return found

    async def _rotate(self, request: Request, visitor: Visitor) -> Response:
        organization, form = await self._sent(request, visitor)
        who = text_of(form.get("username"))
        told = await asyncio.to_thread(team.rotate, self._frame.services, visitor.actor, organization, who)
        return await self._page(visitor, organization, told=told)

    async def _ask_to_remove(self, request: Request, visitor: Visitor) -> Response:
        who = request.query_params.get("who", "")
        organization = self._frame.organization(request, visitor, team.needed_to_remove(visitor.actor, who))
        return await self._ask(visitor, organization, who)

    async def _ask(
        self, visitor: Visitor, organization: Organization, who: str, error: ServerError | None = None
    ) -> Response:
        def read(connection: Connection) -> str:
            """What `who` is. Raises NotFound."""
            if any(one.email == who for one in store.invitations_of(connection, organization.id)):
                return "invited"
            if api_users.find(connection, organization, who) is not None:
                return "program"
            if store.member(connection, organization.id, who) is not None:
                return "member"
            raise NotFound(f"{who[:200]} is not in the team of {organization.name}")

        context: Context = {"who": who, "kind": await self._frame.read(read), "error": error}
        status = 200 if error is None else error.status
        return self._frame.render("team-remove.html", visitor, organization, context, status)

    async def _remove(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        who = text_of(form.get("username"))
        organization = self._frame.organization(request, visitor, team.needed_to_remove(visitor.actor, who))
        try:
            await asyncio.to_thread(team.remove, self._frame.services, visitor.actor, organization, who)
        except ServerError as error:
            return await self._ask(visitor, organization, who, error)
        return go("/" if who == visitor.actor.email else _path(organization))

    # The owner

    async def _ask_to_transfer(self, request: Request, visitor: Visitor) -> Response:
        return await self._owner_page(visitor, self._owned(request, visitor), Filled())

    def _owned(self, request: Request, visitor: Visitor) -> Organization:
        """The organization of the path, of its owner. Raises NotFound, Forbidden."""
        organization = self._frame.organization(request, visitor, Permission.MANAGE_TEAM)
        service.check_owner(organization, visitor.account)
        return organization

    async def _owner_page(self, visitor: Visitor, organization: Organization, form: Filled) -> Response:
        members = await self._frame.read(lambda connection: store.members_of(connection, organization.id))
        others = [one.email for one in members if one.role is Role.ADMINISTRATOR and one.email != visitor.actor.email]
        context: Context = {"others": [(one, one) for one in others], "filled": form}
        return self._frame.render("team-owner.html", visitor, organization, context, form.status)

    async def _transfer(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        organization, who = self._owned(request, visitor), text_of(form.get("username"))
        try:
            if text_of(form.get("typed")).strip() != organization.slug:
                raise Invalid(f"type {organization.slug} to make somebody else its owner", "typed")
            await asyncio.to_thread(team.transfer, self._frame.services, visitor.actor, organization, who)
        except ServerError as error:
            return await self._owner_page(visitor, organization, filled("owner", form, error))
        return go(_path(organization))


def _path(organization: Organization) -> str:
    return f"/organizations/{organization.slug}/team"
