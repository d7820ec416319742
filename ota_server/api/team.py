# SPDX-License-Identifier: Apache-2.0
"""What is done with teams, by the API and on pages: each is checked against what its actor may, and audited."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from ota_server.accounts.addresses import normal_email
from ota_server.api.context import act
from ota_server.errors import Invalid
from ota_server.mail import outbox
from ota_server.organizations import api_users, service
from ota_server.organizations.access import Actor
from ota_server.organizations.api_users import ApiUser
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import PERMISSIONS, Permission, Role, scopes_text
from ota_server.products.models import Product
from ota_server.services import Services


def parse_role(text: str) -> Role:
    """Raises Invalid."""
    try:
        return Role(text.strip().lower())
    except ValueError as error:
        raise Invalid(f"a role is one of {', '.join(role.label for role in Role)}", "role") from error


def needed_to_remove(actor: Actor, username: str) -> Permission:
    """Anybody may take oneself out."""
    is_own = normal_email(username) == actor.email and not actor.is_limited
    return Permission.VIEW if is_own else Permission.MANAGE_TEAM


def invite(services: Services, actor: Actor, organization: Organization, username: str, role: Role) -> bool:
    """Invites whoever has the address; False where no mail says so. Raises Invalid, Conflict, Forbidden, TooMany."""
    actor.check_hands_out(organization.id, PERMISSIONS[role])

    def write(connection: Connection, now_ms: int) -> bool:
        email = service.invite(connection, organization, username, role, actor.email, now_ms)
        mail = services.by_mail.invitation(email, organization.name, role.label, actor.email, now_ms)
        if mail is not None:
            outbox.put(connection, mail, now_ms)
        return mail is not None

    return act(services, actor, "team.invite", username, write, organization, role.value)


def add_api_user(
    services: Services,
    actor: Actor,
    organization: Organization,
    product: Product | None,
    name: str,
    scopes: Collection[Permission],
) -> tuple[ApiUser, str]:
    """Makes an API user, for all of the organization or for one product, and its token. Raises Invalid, Forbidden."""
    actor.check_hands_out(organization.id, frozenset(scopes))
    return act(
        services,
        actor,
        "api_user.create",
        name,
        lambda connection, now_ms: api_users.create(connection, organization, product, name, scopes, now_ms),
        product or organization,
        scopes_text(scopes),
    )


def change_role(services: Services, actor: Actor, organization: Organization, username: str, role: Role) -> None:
    """Gives a member another role. Raises NotFound, Conflict, Forbidden."""
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


def transfer(services: Services, actor: Actor, organization: Organization, username: str) -> Organization:
    """Makes another administrator the owner. Raises Forbidden, NotFound, Conflict."""
    return act(
        services,
        actor,
        "organization.transfer",
        username,
        lambda connection, _now_ms: service.transfer(connection, organization, actor.account, username),
        organization,
    )


def rotate(services: Services, actor: Actor, organization: Organization, username: str) -> tuple[ApiUser, str]:
    """Ends the token of an API user and makes another. Raises NotFound, Forbidden."""
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
    return found, token


def remove(services: Services, actor: Actor, organization: Organization, username: str) -> None:
    """Takes a member or an API user out of the team, or withdraws an invitation. Raises NotFound, Conflict."""
    act(
        services,
        actor,
        "team.remove",
        username,
        lambda connection, _now_ms: service.remove(connection, organization, username),
        organization,
    )
