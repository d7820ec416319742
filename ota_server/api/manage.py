# SPDX-License-Identifier: Apache-2.0
"""The management API under /v1: JSON for people's tools and CI, Particle's paths where Particle has them."""

from __future__ import annotations

from fastapi import FastAPI

from ota_server.api import (
    errors,
    manage_accounts,
    manage_audit,
    manage_branding,
    manage_calls,
    manage_clients,
    manage_cohorts,
    manage_customers,
    manage_devices,
    manage_event_streams,
    manage_events,
    manage_figures,
    manage_forecasts,
    manage_groups,
    manage_log,
    manage_organizations,
    manage_products,
    manage_releases,
    manage_rollouts,
    manage_usage,
    manage_users,
    manage_webhooks,
    own_devices,
)
from ota_server.api.body import BodyLimit, FormsAsJson
from ota_server.releases.service import ELF_SIZE_MAX, IMAGE_SIZE_MAX
from ota_server.services import Services

UPLOAD_SIZE_MAX = ELF_SIZE_MAX + 2 * IMAGE_SIZE_MAX


PARTS = (
    manage_event_streams,
    manage_events,
    manage_usage,
    manage_users,
    manage_accounts,
    manage_organizations,
    manage_audit,
    manage_branding,
    manage_products,
    manage_forecasts,
    manage_groups,
    manage_cohorts,
    manage_devices,
    manage_figures,
    manage_log,
    manage_releases,
    manage_rollouts,
    manage_webhooks,
    manage_clients,
    manage_customers,
    own_devices,
    manage_calls,
)
ROUTERS = tuple(part.router for part in PARTS)


def make_app(services: Services) -> FastAPI:
    """The application to be mounted at /v1."""
    app = FastAPI(
        title="Muster",
        version="1",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=errors.RESPONSES,
    )
    app.state.services = services
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(FormsAsJson)
    app.add_middleware(BodyLimit, size_max=UPLOAD_SIZE_MAX)
    errors.add_handlers(app)
    return app
