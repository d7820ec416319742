# SPDX-License-Identifier: Apache-2.0
"""A button that lets a simulated device report in, for a product that has no other yet; and one that stops it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from muster.fleet.load import Address
from ota_server.dashboard.frame import Frame, go
from ota_server.dashboard.security import Visitor
from ota_server.devices import service as devices
from ota_server.devices.service import ImportLine
from ota_server.errors import Conflict
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.releases import store as releases
from ota_server.releases.models import StoredImage

NAME, TAG = "Simulated device", "simulated"


class SimulatedPages:
    """What starts and stops it. It lives in this process, and speaks the protocol of devices over its socket."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [Route("/products/{product}/simulated", self._frame.page(self._set), methods=["POST"])]

    async def _set(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.MANAGE_DEVICES)
        simulator = self._frame.simulator
        if form.get("answer") == "stop":
            await self._frame.act(visitor, "device.stop_simulated", str(product.id), lambda _c, _now_ms: None, product)
            simulator.stop(product.id)
            return go(f"/products/{product.slug}/devices/add#simulated")
        images = await self._make_known(visitor, product)
        # Where this very request has come in.
        host, port = request.scope["server"]
        simulator.start(product.id, images, Address(host, port))
        return go(f"/products/{product.slug}")

    async def _make_known(self, visitor: Visitor, product: Product) -> Sequence[StoredImage]:
        """The device is trusted, and says in the lists what it is; returns the images that it may run."""
        device_id, key = self._frame.simulator.identity(product.id)
        by = visitor.account.email

        def write(connection: Connection, now_ms: int) -> Sequence[StoredImage]:
            result = devices.import_devices(connection, product, [ImportLine(device_id, key.raw)], by, now_ms)
            for why in result.refused.values():
                raise Conflict(why)
            if result.updated:
                devices.set_facts(connection, product, device_id, {"name": NAME, "tags": TAG}, by, now_ms)
            return releases.images_of_product(connection, product.id)

        return await self._frame.act(visitor, "device.simulate", device_id, write, product)
