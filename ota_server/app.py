# SPDX-License-Identifier: Apache-2.0
"""The application: the only place where the server's parts are wired together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount

from ota_server.api import device, errors, health, manage
from ota_server.api.oauth import endpoints as oauth
from ota_server.api.requests import Requests
from ota_server.clock import Clock
from ota_server.dashboard.pages import Dashboard
from ota_server.errors import Unavailable
from ota_server.observe.measures import RequestMeasures
from ota_server.observe.registry import server_registry
from ota_server.releases.encoder import Encoder
from ota_server.services import Services, open_services
from ota_server.settings import Settings

WRITE_USAGE_EVERY_S = 60.0


def create_app(settings: Settings, clock: Clock | None = None, encoder: Encoder | None = None) -> Starlette:
    """One server over one data folder. Its threads run from the start to the end of the application's lifespan.

    Raises:
        MusterError: keys, key sets or folder are not usable; see `open_services`.
    """
    services = open_services(settings, clock, encoder)
    measures = RequestMeasures()
    app = Starlette(
        routes=[
            *health.routes(services, server_registry(services, measures)),
            *oauth.routes(services),
            Mount("/v1", app=manage.make_app(services)),
            Mount("/", app=Dashboard(services).app()),
        ],
        middleware=[
            Middleware(Requests, measures=measures, devices=services.device_measures),
            Middleware(device.DeviceApp, services=services),
        ],
        # For paths that no mount takes: those with a line break.
        exception_handlers={HTTPException: errors.http_error},
        lifespan=lambda _app: _lifespan(services),
    )
    app.state.services = services
    return app


@contextlib.asynccontextmanager
async def _lifespan(services: Services) -> AsyncIterator[None]:
    await asyncio.to_thread(services.start)
    keeper = asyncio.create_task(_write_usage(services))
    try:
        yield
    finally:
        keeper.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        finally:
            await asyncio.to_thread(services.stop)


async def _write_usage(services: Services) -> None:
    while True:
        with contextlib.suppress(Unavailable):
            await asyncio.wrap_future(services.write_usage())
        await asyncio.sleep(WRITE_USAGE_EVERY_S)
