# SPDX-License-Identifier: Apache-2.0
"""Organizations and their teams in the management API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from ota_server.accounts.addresses import EMAIL_MAX, normal_email
from ota_server.api import views
from ota_server.api.context import ActorDep, PersonDep, ServicesDep, act, product_for
from ota_server.errors import Invalid
from ota_server.mail import outbox
from ota_server.organizations import api_users, service, store
from ota_server.organizations.access import Actor
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import PERMISSIONS, Permission, Role, parse_scopes, scopes_text
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
    given = act(
        services,
        actor,
        "organization.transfer",
        body.username,
        lambda connection, _now_ms: service.transfer(connection, found, actor.account, body.username),
        found,
    )
    return _team(services, given, None)


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
    return _remove(services, actor, actor.organization(organization, _needed_to_remove(actor, username)), username)


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
    return _remove(services, actor, _owner(services, actor, product, _needed_to_remove(actor, username)), username)


def _owner(services: Services, actor: Actor, product: str, permission: Permission) -> Organization:
    return actor.organizations[product_for(services, actor, product, permission).organization_id]


def _needed_to_remove(actor: Actor, username: str) -> Permission:
    is_own = normal_email(username) == actor.email and not actor.is_limited
    return Permission.VIEW if is_own else Permission.MANAGE_TEAM


def _role(text: str) -> Role:
    try:
        return Role(text.strip().lower())
    except ValueError as error:
        raise Invalid(f"a role is one of {', '.join(role.label for role in Role)}", "role") from error


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
        return _invite(services, actor, organization, product, body.username, _role(body.role))
    if body.friendly_name is None:
        raise Invalid("say whom to invite: username; or what to call an API user: friendly_name", "username")
    name, scopes = body.friendly_name, parse_scopes(body.scopes)
    actor.check_hands_out(organization.id, scopes)
    made, token = act(
        services,
        actor,
        "api_user.create",
        name,
        lambda connection, now_ms: api_users.create(connection, organization, product, name, scopes, now_ms),
        product or organization,
        scopes_text(scopes),
    )
    return {"ok": True, "created": {**views.api_user(made), "tokens": [{"token": token}]}}


def _invite(
    services: Services, actor: Actor, organization: Organization, product: Product | None, username: str, role: Role
) -> views.Json:
    actor.check_hands_out(organization.id, PERMISSIONS[role])

    def write(connection: Connection, now_ms: int) -> None:
        email = service.invite(connection, organization, username, role, actor.email, now_ms)
        mail = services.by_mail.invitation(email, organization.name, role.label, actor.email, now_ms)
        if mail is not None:
            outbox.put(connection, mail, now_ms)

    act(services, actor, "team.invite", username, write, organization, role.value)
    return _team(services, organization, product)


def _change_role(
    services: Services, actor: Actor, organization: Organization, username: str, body: RoleBody
) -> views.Json:
    role = _role(body.role)
    actor.check_hands_out(organization.id, PERMISSIONS[role])
    act(
        services,
        actor,
        "team.role",
        username,
        lambda connection, _now_ms: service.set_role(connection, organization, username, role),
        organization,
        role.value,
    )
    return _team(services, organization, None)


def _rotate(services: Services, actor: Actor, organization: Organization, username: str) -> views.Json:
    with services.database.read() as connection:
        found = api_users.existing(connection, organization, username)
    actor.check_hands_out(organization.id, found.permissions)
    token = act(
        services,
        actor,
        "api_user.token",
        found.username,
        lambda connection, now_ms: api_users.rotate(connection, found, now_ms),
        organization,
    )
    return {"ok": True, "updated": {**views.api_user(found), "tokens": [{"token": token}]}}


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
