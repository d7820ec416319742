# SPDX-License-Identifier: Apache-2.0
"""Organizations and their teams in the management API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from ota_server.accounts.addresses import EMAIL_MAX
from ota_server.api import team, views
from ota_server.api.context import ActorDep, PersonDep, ServicesDep, act, product_for
from ota_server.errors import Invalid
from ota_server.organizations import api_users, service, store
from ota_server.organizations.access import Actor
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission, Role, parse_scopes
from ota_server.products.models import Product
from ota_server.services import Services
from ota_server.usage import service as limits

router = APIRouter()


class OrganizationFields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    slug: str | None = None


class OrganizationBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    organization: OrganizationFields


class NameBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


class OwnerBody(BaseModel):
    """An administrator of the organization."""

    username: Annotated[str, Field(max_length=EMAIL_MAX)]


class NewMemberBody(BaseModel):
    """Whom to invite, or with `friendly_name` and `scopes` an API user to be made.

    Particle's SDK cannot say a role: then it is one that does the work and leaves the team alone.
    """

    username: Annotated[str | None, Field(max_length=EMAIL_MAX)] = None
    role: str = Role.DEVELOPER.label
    friendly_name: Annotated[str | None, Field(max_length=200)] = None
    scopes: Annotated[list[str], Field(max_length=len(Permission))] = Field(default_factory=list)


class RoleBody(BaseModel):
    role: str


# Organizations


@router.get("/orgs")
def list_organizations(actor: ActorDep) -> views.Json:
    """The account's organizations."""
    return {"organizations": [views.organization(one, actor.roles.get(one.id)) for one in actor.organizations.values()]}


@router.post("/orgs", status_code=201)
def create_organization(body: OrganizationBody, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Makes an organization; the account is its first administrator."""
    fields = body.organization

    def write(connection: Connection, now_ms: int) -> Organization:
        made = service.create(connection, fields.name, actor.account.id, now_ms, fields.slug)
        limits.check_organizations(connection, actor.account.id)
        return made

    made = act(services, actor, "organization.create", fields.name, write, None)
    return {"organization": views.organization(made, Role.ADMINISTRATOR)}


@router.get("/orgs/{organization}")
def get_organization(organization: str, actor: ActorDep) -> views.Json:
    """One organization, by its slug."""
    found = actor.organization(organization, Permission.VIEW)
    return {"organization": views.organization(found, actor.roles.get(found.id))}


@router.put("/orgs/{organization}")
def rename_organization(organization: str, body: NameBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Gives it another name; its slug stays."""
    found = actor.organization(organization, Permission.MANAGE_TEAM)
    renamed = act(
        services,
        actor,
        "organization.rename",
        found.slug,
        lambda connection, _now_ms: service.rename(connection, found, body.name),
        found,
        body.name,
    )
    return {"organization": views.organization(renamed, actor.roles.get(found.id))}


@router.put("/orgs/{organization}/owner")
def transfer_organization(organization: str, body: OwnerBody, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Gives the organization to another administrator; only its owner can."""
    found = actor.organization(organization, Permission.MANAGE_TEAM)
    return _team(services, team.transfer(services, actor, found, body.username), None)


@router.get("/orgs/{organization}/products")
def list_products(organization: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Its products."""
    found = actor.organization(organization, Permission.VIEW)
    with services.database.read() as connection:
        rows = actor.products(connection)
    return {"products": [views.product(item, found) for item in rows if item.organization_id == found.id]}


# The team: an organization's, and the same by way of each of its products


@router.get("/orgs/{organization}/team")
def list_team(organization: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Members, API users and open invitations."""
    return _team(services, actor.organization(organization, Permission.VIEW_TEAM), None)


@router.post("/orgs/{organization}/team")
def add_to_team(organization: str, body: NewMemberBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Invites whoever has an address, or makes an API user, whose token is told only here.

    An invitation is accepted or declined at the next sign-in.
    """
    return _add(services, actor, actor.organization(organization, Permission.MANAGE_TEAM), None, body)


@router.post("/orgs/{organization}/team/{username}")
@router.put("/orgs/{organization}/team/{username}")
def change_role(organization: str, username: str, body: RoleBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Gives a member another role."""
    return _change_role(services, actor, actor.organization(organization, Permission.MANAGE_TEAM), username, body)


@router.put("/orgs/{organization}/team/{username}/token")
def rotate_token(organization: str, username: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Ends the token of an API user and makes another, which is told only here."""
    return _rotate(services, actor, actor.organization(organization, Permission.MANAGE_TEAM), username)


@router.delete("/orgs/{organization}/team/{username}")
def remove_member(organization: str, username: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Takes a member or an API user out of the team, or withdraws an invitation; anybody may take oneself out."""
    return _remove(services, actor, actor.organization(organization, team.needed_to_remove(actor, username)), username)


@router.get("/products/{product}/team")
def list_product_team(product: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """The team of the product's organization, without the API users of its other products."""
    found = product_for(services, actor, product, Permission.VIEW_TEAM)
    return _team(services, actor.organizations[found.organization_id], found)


@router.post("/products/{product}/team")
def add_to_team_by_product(product: str, body: NewMemberBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Invites into the team of the product's organization, or makes an API user for this product alone."""
    found = product_for(services, actor, product, Permission.MANAGE_TEAM)
    return _add(services, actor, actor.organizations[found.organization_id], found, body)


@router.post("/products/{product}/team/{username}")
@router.put("/products/{product}/team/{username}")
def change_role_by_product(
    product: str, username: str, body: RoleBody, services: ServicesDep, actor: ActorDep
) -> views.Json:
    """Gives a member of the product's organization another role."""
    return _change_role(services, actor, _owner(services, actor, product, Permission.MANAGE_TEAM), username, body)


@router.put("/products/{product}/team/{username}/token")
def rotate_token_by_product(product: str, username: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Ends the token of an API user and makes another, which is told only here."""
    return _rotate(services, actor, _owner(services, actor, product, Permission.MANAGE_TEAM), username)


@router.delete("/products/{product}/team/{username}")
def remove_member_by_product(product: str, username: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Takes a member or an API user out of the team of the product's organization."""
    return _remove(services, actor, _owner(services, actor, product, team.needed_to_remove(actor, username)), username)


def _owner(services: Services, actor: Actor, product: str, permission: Permission) -> Organization:
    return actor.organizations[product_for(services, actor, product, permission).organization_id]


def _team(services: Services, organization: Organization, product: Product | None) -> views.Json:
    with services.database.read() as connection:
        members = store.members_of(connection, organization.id)
        programs = api_users.of_organization(connection, organization.id, None if product is None else product.id)
        invitations = store.invitations_of(connection, organization.id)
    return {
        "ok": True,
        "team": [*(views.member(one, organization) for one in members), *(views.api_user(one) for one in programs)],
        "invitations": [views.invitation(one) for one in invitations],
    }


def _add(
    services: Services, actor: Actor, organization: Organization, product: Product | None, body: NewMemberBody
) -> views.Json:
    if body.username is not None:
        team.invite(services, actor, organization, body.username, team.parse_role(body.role))
        return _team(services, organization, product)
    if body.friendly_name is None:
        raise Invalid("say whom to invite: username; or what to call an API user: friendly_name", "username")
    scopes = parse_scopes(body.scopes)
    made, token = team.add_api_user(services, actor, organization, product, body.friendly_name, scopes)
    return {"ok": True, "created": {**views.api_user(made), "tokens": [{"token": token}]}}


def _change_role(
    services: Services, actor: Actor, organization: Organization, username: str, body: RoleBody
) -> views.Json:
    team.change_role(services, actor, organization, username, team.parse_role(body.role))
    return _team(services, organization, None)


def _rotate(services: Services, actor: Actor, organization: Organization, username: str) -> views.Json:
    found, token = team.rotate(services, actor, organization, username)
    return {"ok": True, "updated": {**views.api_user(found), "tokens": [{"token": token}]}}


def _remove(services: Services, actor: Actor, organization: Organization, username: str) -> views.Json:
    team.remove(services, actor, organization, username)
    return {"ok": True}
