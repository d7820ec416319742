# SPDX-License-Identifier: Apache-2.0
"""Three ways in which devices become known: imported, provisioned at a station, claimed by customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard import security
from ota_server.dashboard.frame import Context, Frame
from ota_server.dashboard.security import Visitor
from ota_server.devices import service, table
from ota_server.devices.service import ImportResult
from ota_server.devices.table import ImportRefused
from ota_server.errors import Invalid, ServerError
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product

FILE_MAX = 2 * 1024 * 1024
LINES_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Report:
    """What came of an import, line by line.

    Attributes:
        added, known: ids.
        wrong: what stands in the line, or its number, and why it was not imported.
    """

    added: Sequence[str] = ()
    known: Sequence[str] = ()
    wrong: Sequence[tuple[str, str]] = ()


class DeviceAddPages:
    """How devices are added."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, path = self._frame.page, "/products/{product}/devices/add"
        return [Route(path, page(self._show)), Route(path, page(self._add), methods=["POST"])]

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.MANAGE_DEVICES)
        return self._page(request, visitor, product, None, "", None)

    async def _add(self, request: Request, visitor: Visitor) -> Response:
        """Imports, and tells what came of it. What comes again is known by then."""
        form = await self._frame.form(request, visitor, files=1)
        product = await self._frame.product(request, visitor, Permission.MANAGE_DEVICES)
        typed = security.text_of(form.get("lines"))
        try:
            try:
                lines = await _lines(form)
            finally:
                await form.close()
            report = await self._import(request, visitor, product, lines)
        except ImportRefused as refused:
            report = Report(wrong=[(f"line {number}", reason) for number, reason in refused.refusals])
            return self._page(request, visitor, product, report, typed, None, 400)
        except Invalid as error:
            return self._page(request, visitor, product, None, typed, error, 400)
        return self._page(request, visitor, product, report, "", None)

    async def _import(self, request: Request, visitor: Visitor, product: Product, lines: Sequence[str]) -> Report:
        rows = table.parse(lines) if table.is_table(lines) else None
        good, bad = service.parse_import(lines) if rows is None else ([], [])
        if any(row.steers_firmware for row in rows or ()):
            product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        by = visitor.account.email

        def write(connection: Connection, now_ms: int) -> ImportResult:
            if rows is not None:
                return table.import_table(connection, product, rows, by, now_ms)
            return service.import_devices(connection, product, good, by, now_ms)

        done = await self._frame.act(visitor, "device.import", f"{len(rows or good)} devices", write, product)
        unread = [(line, "it is no id of 24 hexadecimal digits, alone or with a key of 64") for line in bad]
        return Report(done.updated, done.existing, [*done.refused.items(), *unread])

    def _page(
        self,
        request: Request,
        visitor: Visitor,
        product: Product,
        report: Report | None,
        typed: str,
        error: ServerError | None,
        status: int = 200,
    ) -> Response:
        context: Context = {
            "report": report,
            "typed": typed,
            "error": error,
            "shown": LINES_SHOWN,
            "server": self._frame.address(request),
            "lines_max": service.IMPORT_MAX,
            "columns": table.READ,
            "simulated": self._frame.simulator.identity(product.id)[0],
            "is_simulating": self._frame.simulator.is_running(product.id),
        }
        return self._frame.render("device-add.html", visitor, product, context, status)


async def _lines(form: FormData) -> list[str]:
    """Of the file, or as they were pasted. Raises Invalid."""
    file = form.get("file")
    text = security.text_of(form.get("lines"))
    if isinstance(file, UploadFile) and file.filename:
        raw = await file.read(FILE_MAX + 1)
        if len(raw) > FILE_MAX:
            raise Invalid(f"the list has more than {FILE_MAX:,} bytes", "file")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise Invalid("the file is not text in UTF-8", "file") from error
    if not text.strip():
        raise Invalid("paste ids, or choose a file", "lines")
    return text.splitlines()
