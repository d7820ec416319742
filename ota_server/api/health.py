# SPDX-License-Identifier: Apache-2.0
"""For who watches the server: `/health/live`, `/health/ready` and `/metrics`."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from anyio import CapacityLimiter, to_thread
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ota_server.errors import refusal
from ota_server.observe.health import OK, Health
from ota_server.services import Services

_HEADERS = {"cache-control": "no-store"}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def routes(services: Services, registry: CollectorRegistry) -> list[Route]:
    """The routes at the root."""
    health = Health(services)
    # One thread each, whoever asks and however often: what hangs while they look must not take those of pages.
    looker, teller = CapacityLimiter(1), CapacityLimiter(1)
    token = services.settings.metrics_token

    async def live(_request: Request) -> Response:
        gone = health.dead()
        return JSONResponse({"live": not gone, "gone": gone}, 503 if gone else 200, _HEADERS)

    async def ready(_request: Request) -> Response:
        found = await to_thread.run_sync(health.check, limiter=looker)
        is_ready = all(word == OK for word in found.values())
        return JSONResponse({"ready": is_ready, "parts": found}, 200 if is_ready else 503, _HEADERS)

    async def metrics(request: Request) -> Response:
        if not _may_read(request, token):
            text = "metrics are for this machine, or for who has the token of --metrics-token-file"
            return JSONResponse(refusal("forbidden", text), 403, _HEADERS)
        told = await to_thread.run_sync(generate_latest, registry, limiter=teller)
        return Response(told, headers=_HEADERS, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return [Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics)]


def _may_read(request: Request, token: str | None) -> bool:
    """With a token, whoever knows it; without one, this machine, but not through a proxy on it."""
    if token is not None:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
