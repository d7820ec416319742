# SPDX-License-Identifier: Apache-2.0
"""Organizations and their teams in the management API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from ota_server.accounts.addresses import EMAIL_MAX, normal_email
from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep, act, product_for
from ota_server.errors import Invalid
from ota_server.mail import outbox
from ota_server.organizations import service, store
from ota_server.organizations.access import Actor
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission, Role
from ota_server.services import Services

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


class InvitationBody(BaseModel):
    """Whom to invite. Particle's SDK cannot say a role: then it is one that does the work and leaves the team alone."""

    username: Annotated[str, Field(max_length=EMAIL_MAX)]
    role: str = Role.DEVELOPER.label


class RoleBody(BaseModel):
    role: str


# Organizations


@router.get("/orgs")
def list_organizations(actor: ActorDep) -> views.Json:
    """The account's organizations."""
    return {"organizations": [views.organization(one, actor.roles[one.id]) for one in actor.organizations.values()]}


@router.post("/orgs", status_code=201)
def create_organization(body: OrganizationBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Makes an organization; the account is its first administrator."""
    fields = body.organization
    made = act(
        services,
        actor,
        "organization.create",
        fields.name,
        lambda connection, now_ms: service.create(connection, fields.name, actor.account.id, now_ms, fields.slug),
        None,
    )
    return {"organization": views.organization(made, Role.ADMINISTRATOR)}


@router.get("/orgs/{organization}")
def get_organization(organization: str, actor: ActorDep) -> views.Json:
    """One organization, by its slug."""
    found = actor.organization(organization, Permission.VIEW)
    return {"organization": views.organization(found, actor.roles[found.id])}


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
    return {"organization": views.organization(renamed, actor.roles[found.id])}


@router.put("/orgs/{organization}/owner")
def transfer_organization(organization: str, body: OwnerBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Gives the organization to another administrator; only its owner can."""
    found = actor.organization(organization, Permission.MANAGE_TEAM)
    given = act(
        services,
        actor,
        "organization.transfer",
        body.username,
        lambda connection, _now_ms: service.transfer(connection, found, actor.account, body.username),
        found,
    )
    return _team(services, given)


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
    """Members and open invitations."""
    return _team(services, actor.organization(organization, Permission.VIEW))


@router.post("/orgs/{organization}/team")
def invite(organization: str, body: InvitationBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Invites whoever has an address; it is accepted or declined at the next sign-in."""
    return _invite(services, actor, actor.organization(organization, Permission.MANAGE_TEAM), body)


@router.post("/orgs/{organization}/team/{username}")
@router.put("/orgs/{organization}/team/{username}")
def change_role(organization: str, username: str, body: RoleBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Gives a member another role."""
    return _change_role(services, actor, actor.organization(organization, Permission.MANAGE_TEAM), username, body)


@router.delete("/orgs/{organization}/team/{username}")
def remove_member(organization: str, username: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Takes a member out of the team, or withdraws an invitation; anybody may take oneself out."""
    return _remove(services, actor, actor.organization(organization, _needed_to_remove(actor, username)), username)


@router.get("/products/{product}/team")
def list_product_team(product: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """The team of the product's organization."""
    return _team(services, _owner(services, actor, product, Permission.VIEW))


@router.post("/products/{product}/team")
def invite_by_product(product: str, body: InvitationBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Invites into the team of the product's organization."""
    return _invite(services, actor, _owner(services, actor, product, Permission.MANAGE_TEAM), body)


@router.post("/products/{product}/team/{username}")
@router.put("/products/{product}/team/{username}")
def change_role_by_product(
    product: str, username: str, body: RoleBody, services: ServicesDep, actor: ActorDep
) -> views.Json:
    """Gives a member of the product's organization another role."""
    return _change_role(services, actor, _owner(services, actor, product, Permission.MANAGE_TEAM), username, body)


@router.delete("/products/{product}/team/{username}")
def remove_member_by_product(product: str, username: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Takes a member out of the team of the product's organization."""
    return _remove(services, actor, _owner(services, actor, product, _needed_to_remove(actor, username)), username)


def _owner(services: Services, actor: Actor, product: str, permission: Permission) -> Organization:
    return actor.organizations[product_for(services, actor, product, permission).organization_id]


def _needed_to_remove(actor: Actor, username: str) -> Permission:
    return Permission.VIEW if normal_email(username) == actor.email else Permission.MANAGE_TEAM


def _role(text: str) -> Role:
    try:
        return Role(text.strip().lower())
    except ValueError as error:
        raise Invalid(f"a role is one of {', '.join(role.label for role in Role)}", "role") from error


def _team(services: Services, organization: Organization) -> views.Json:
    with services.database.read() as connection:
        return {
            "ok": True,
            "team": [views.member(one, organization) for one in store.members_of(connection, organization.id)],
            "invitations": [views.invitation(one) for one in store.invitations_of(connection, organization.id)],
        }


def _invite(services: Services, actor: Actor, organization: Organization, body: InvitationBody) -> views.Json:
    role = _role(body.role)

    def write(connection: Connection, now_ms: int) -> None:
        email = service.invite(connection, organization, body.username, role, actor.email, now_ms)
        if services.letters is not None:
            mail = services.letters.invitation(email, organization.name, role.label, actor.email)
            outbox.put(connection, mail, now_ms)

    act(services, actor, "team.invite", body.username, write, organization, role.value)
    return _team(services, organization)


def _change_role(
    services: Services, actor: Actor, organization: Organization, username: str, body: RoleBody
) -> views.Json:
    role = _role(body.role)
    act(
        services,
        actor,
        "team.role",
        username,
        lambda connection, _now_ms: service.set_role(connection, organization, username, role),
        organization,
        role.value,
    )
    return _team(services, organization)


def _remove(services: Services, actor: Actor, organization: Organization, username: str) -> views.Json:
    act(
        services,
        actor,
        "team.remove",
        username,
        lambda connection, _now_ms: service.remove(connection, organization, username),
        organization,
    )
    return {"ok": True}
