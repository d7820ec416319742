# SPDX-License-Identifier: Apache-2.0
"""How an organization looks to its customers, in the management API."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, File, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from ota_server.accounts.addresses import EMAIL_MAX, normal_email
from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep, act
from ota_server.organizations import branding
from ota_server.organizations.access import Actor
from ota_server.organizations.branding import Branding
from ota_server.organizations.models import Organization
from ota_server.organizations.roles import Permission
from ota_server.services import Services

router = APIRouter(prefix="/orgs/{organization}/branding")


class BrandingBody(BaseModel):
    """What to change. An empty `support_email` is none."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str | None, Field(max_length=100)] = None
    support_email: Annotated[str | None, Field(max_length=EMAIL_MAX)] = None
    color: Annotated[str | None, Field(max_length=7)] = None
    background: Annotated[str | None, Field(max_length=7)] = None


@router.get("")
def get_branding(organization: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Name, support address, colours and the address of the logo."""
    return _shown(_now(services, actor.organization(organization, Permission.VIEW)))


@router.put("")
def set_branding(organization: str, body: BrandingBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Changes what the body says."""
    found = actor.organization(organization, Permission.MANAGE_TEAM)
    values = body.model_dump(exclude_none=True)
    if "support_email" in values:
        values["support_email"] = normal_email(values["support_email"])
    values.update({key: values[key].strip().lower() for key in ("color", "background") if key in values})
    return _keep(services, actor, found, replace(_now(services, found), **values))


@router.put("/logo")
def set_logo(
    organization: str, services: ServicesDep, actor: ActorDep, file: Annotated[UploadFile, File()]
) -> views.Json:
    """Uploads a logo: a PNG file."""
    found = actor.organization(organization, Permission.MANAGE_TEAM)
    raw = file.file.read(branding.LOGO_SIZE_MAX + 1)
    branding.check_logo(raw)
    return _keep(services, actor, found, replace(_now(services, found), logo=services.jobs.kept.put(raw).hex()))


@router.delete("/logo")
def remove_logo(organization: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """The name is shown instead."""
    found = actor.organization(organization, Permission.MANAGE_TEAM)
    return _keep(services, actor, found, replace(_now(services, found), logo=""))


def _now(services: Services, organization: Organization) -> Branding:
    with services.database.read() as connection:
        return branding.of_organization(connection, organization)


def _keep(services: Services, actor: Actor, organization: Organization, brand: Branding) -> views.Json:
    act(
        services,
        actor,
        "organization.brand",
        brand.name,
        lambda connection, _now_ms: branding.keep(connection, organization, brand),
        organization,
    )
    return _shown(brand)


def _shown(brand: Branding) -> views.Json:
    return {
        "branding": {
            "name": brand.name,
            "support_email": brand.support_email,
            "color": brand.color,
            "background": brand.background,
            "logo": brand.logo_path,
            "style_sheet": brand.css_path,
        }
    }
