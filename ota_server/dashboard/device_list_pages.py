# SPDX-License-Identifier: Apache-2.0
"""A product's devices: filtered, exported, and the filter saved as a cohort."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ota_server.dashboard import device_filter, security
from ota_server.dashboard.device_changes import VERBS
from ota_server.dashboard.device_filter import DeviceFilter
from ota_server.dashboard.device_list_facts import DeviceList, choices, device_list
from ota_server.dashboard.frame import Context, Frame, go, page_number, paging
from ota_server.dashboard.security import Visitor
from ota_server.devices import export, search
from ota_server.devices.bulk import DEVICES_MAX
from ota_server.errors import Conflict, Invalid, NotFound, ServerError
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.rollouts import cohorts
from ota_server.rollouts.cohort import Cohort


class DeviceListPages:
    """The list, and what is done with all that it shows."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/products/{product}/devices"
        return [
            Route(base, page(self._list)),
            Route(f"{base}.csv", page(self._export)),
            Route(f"{base}/cohorts", page(self._save), methods=["POST"]),
        ]

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        asked = device_filter.parse(request.query_params)
        if "" in request.query_params.values():
            # A form sends its empty fields too: an address that is shared does without them.
            return go(f"/products/{product.slug}/devices{asked.query}")
        return await self._show(request, visitor, product, asked, {})

    async def _show(
        self, request: Request, visitor: Visitor, product: Product, asked: DeviceFilter, more: Context
    ) -> Response:
        page, after, now_ms = page_number(request), _row(request, "after"), self._frame.now_ms()

        def read(connection: Connection) -> tuple[DeviceList, Context, ServerError | None]:
            context: Context = {"choices": choices(connection, product)}
            try:
                return device_list(connection, product, asked, page, after, now_ms), context, None
            except (Invalid, NotFound) as error:
                return DeviceList([], 0, is_more=False), context, error

        listed, context, error = await self._frame.read(read)
        context |= {
            "listed": listed,
            "asked": asked,
            "after": after,
            "seen": _row(request, "seen"),
            "verbs": VERBS,
            "devices_max": DEVICES_MAX,
            "error": error,
            "cohort_error": None,
            "cohort_name": "",
            **paging(page, listed.total, asked.fields),
            **more,
        }
        status = 400 if error is not None or context["cohort_error"] is not None else 200
        return self._frame.render("devices.html", visitor, product, context, status)

    async def _export(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.VIEW_DEVICES)
        asked, now_ms = device_filter.parse(request.query_params), self._frame.now_ms()
        wanted = await self._frame.read(lambda connection: asked.search(connection, product, now_ms))
        lines = export.lines(self._frame.services.database, product.id, wanted)
        name = f'attachment; filename="devices-{product.slug}.csv"'
        headers = {**security.HEADERS, "content-disposition": name}
        return StreamingResponse(lines, media_type="text/csv", headers=headers)

    async def _save(self, request: Request, visitor: Visitor) -> Response:
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        asked, name = device_filter.parse(request.query_params), _field(form, "name")

        def write(connection: Connection, now_ms: int) -> None:
            cohorts.create(connection, product, name, _cohort(connection, product, asked, now_ms))

        try:
            await self._frame.act(visitor, "cohort.create", f"{product.id} {name}", write, product)
        except (Invalid, Conflict, NotFound) as error:
            return await self._show(request, visitor, product, asked, {"cohort_error": error, "cohort_name": name})
        return go(f"/products/{product.slug}/devices{DeviceFilter(cohort=name).query}")


def _row(request: Request, name: str) -> int:
    """A number of the address, from where a look at devices goes on. Raises Invalid."""
    text = request.query_params.get(name, "0")
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise Invalid(f"{name} is a number: begin again at the list", name)
    return int(text)


def _field(form: FormData, name: str) -> str:
    return security.text_of(form.get(name)).strip()


def _cohort(connection: Connection, product: Product, asked: DeviceFilter, now_ms: int) -> Cohort:
    """What a filter finds, as a cohort; by their ids where no expression asks for it. Raises Invalid."""
    found = asked.as_cohort(connection, product)
    if found is not None:
        return found
    wanted = asked.search(connection, product, now_ms, per_page=DEVICES_MAX + 1)
    ids = [device.device_id for device in search.next_of_product(connection, product.id, wanted, None)]
    if not 1 <= len(ids) <= DEVICES_MAX:
        raise Invalid(f"a cohort of listed devices has 1 to {DEVICES_MAX:,} of them: filter by more, or less", "name")
    return Cohort.from_json({"devices": ids})
