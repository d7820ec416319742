# SPDX-License-Identifier: Apache-2.0
"""Changing many devices: first what it would do and to which, then it is done, then how it is taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard import device_filter, security, selection
from ota_server.dashboard.device_changes import VERBS, count_words, words
from ota_server.dashboard.device_list_facts import Choices, choices
from ota_server.dashboard.forms import version_number, whole
from ota_server.dashboard.frame import FIELDS_MAX, Context, Frame
from ota_server.dashboard.security import Visitor
from ota_server.devices import bulk, finding, groups, store, walk
from ota_server.devices.bulk import AT_ONCE, DEVICES_MAX, Change, Verb
from ota_server.devices.models import Device
from ota_server.errors import Invalid, NotFound, ServerError
from ota_server.numbers import ROW_MAX
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.releases import service as releases

SAMPLE = 10
FIND_S = 10 * walk.LOOK_S
"""For how long devices are looked for at most that a list has found in LOOK_S."""


@dataclass(frozen=True, slots=True)
class _Preview:
    """What a change would do.

    Attributes:
        chosen: rows that somebody chose.
        rows: those of them that it concerns.
        sample: some of these.
        locks: what they are locked to now.
        error: why it cannot be made; None: it can.
    """

    choices: Choices
    chosen: Sequence[int] = ()
    rows: Sequence[int] = ()
    sample: Sequence[Device] = ()
    locks: Mapping[int | None, int] | None = None
    error: ServerError | None = None


class DeviceChangePages:
    """The two steps."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, path = self._frame.page, "/products/{product}/devices/change"
        return [Route(path, page(self._preview)), Route(path, page(self._change), methods=["POST"])]

    async def _preview(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.MANAGE_DEVICES)
        query, now_ms = request.query_params, self._frame.now_ms()
        found = await self._frame.read(lambda connection: _look(connection, product, query, now_ms))
        verb = query.get("verb", "")
        context: Context = {
            "found": found,
            "verbs": VERBS,
            "verb": verb,
            "to_group": query.get("to_group", ""),
            "to_version": query.get("to_version", ""),
            "kept": [
                (name, value) for name, value in query.multi_items() if name not in ("verb", "to_group", "to_version")
            ],
            "back": f"/products/{product.slug}/devices{device_filter.parse(query).query}",
        }
        if found.error is None:
            change = await self._frame.read(lambda connection: _parse(connection, product, query))
            await self._frame.product(request, visitor, VERBS[change.verb].permission)
            context |= {
                "words": words(VERBS[change.verb].does, change, len(found.rows)),
                "wording": VERBS[change.verb],
                "has_undo": change.inverse(list(found.locks or ())) is not None,
                "packed": selection.pack(found.rows),
                "skipped": len(found.chosen) - len(found.rows),
            }
        return self._frame.render("device-change.html", visitor, product, context, 200 if found.error is None else 400)

    async def _change(self, request: Request, visitor: Visitor) -> Response:
        """Does it, and tells what was done. What comes again finds nothing left to do."""
        form = await self._frame.form(request, visitor)
        product = await self._frame.product(request, visitor, Permission.MANAGE_DEVICES)
        change = await self._frame.read(lambda connection: _parse(connection, product, form))
        wording = VERBS[change.verb]
        product = await self._frame.product(request, visitor, wording.permission)
        rows = selection.unpack(security.text_of(form.get("devices")), DEVICES_MAX)
        locked = await self._frame.read(lambda connection: bulk.locks(connection, product.id, rows))
        changed: list[int] = []
        error: ServerError | None = None
        for some in bulk.pieces(rows, AT_ONCE):
            try:
                changed += await self._apply(visitor, product, change, some)
            except ServerError as refused:
                error = refused
                break
        inverse = change.inverse(list(locked)) if changed else None
        context: Context = {
            "words": words(wording.did, change, len(changed)),
            "wording": wording,
            "changed": changed,
            "left": len(rows) - len(changed),
            "inverse": inverse,
            "inverse_words": "" if inverse is None else words(VERBS[inverse.verb].does, inverse, len(changed)),
            "packed": selection.pack(changed),
            "error": error,
        }
        return self._frame.render("device-changed.html", visitor, product, context, 200 if error is None else 409)

    async def _apply(self, visitor: Visitor, product: Product, change: Change, rows: Sequence[int]) -> list[int]:
        by = visitor.account.email

        def write(connection: Connection, now_ms: int) -> list[int]:
            return bulk.apply(connection, product, change, rows, by, now_ms)

        subject = f"{product.id} {words(VERBS[change.verb].does, change, len(rows))}"
        return await self._frame.act(visitor, f"device.{change.verb}", subject, write, product)


def _look(connection: Connection, product: Product, query: QueryParams, now_ms: int) -> _Preview:
    found = choices(connection, product)
    chosen: Sequence[int] = ()
    try:
        chosen = _chosen(connection, product, query, now_ms)
        change = _parse(connection, product, query)
    except (Invalid, NotFound) as error:
        return _Preview(found, chosen, error=error)
    rows = bulk.concerned(connection, product.id, change, chosen)
    sample = [store.by_row(connection, row) for row in rows[:SAMPLE]]
    return _Preview(
        found,
        chosen,
        rows,
        [device for device in sample if device is not None],
        bulk.locks(connection, product.id, rows) if change.verb is Verb.UNLOCK else None,
    )


def _chosen(connection: Connection, product: Product, query: QueryParams, now_ms: int) -> list[int]:
    """Rows that were ticked, or all that the filter finds. Raises Invalid, NotFound."""
    if query.get("of") == "found":
        wanted = device_filter.parse(query).search(connection, product, now_ms)
        after, until = _number(query, "after"), _number(query, "until")
        limit, enough = DEVICES_MAX + 1, walk.for_seconds(walk.LOOK_S if until is None else FIND_S)
        looked = finding.rows_of(connection, product.id, wanted, after or 0, until, limit, enough)
        rows = list(looked.rows)
        if len(rows) > DEVICES_MAX:
            raise Invalid(f"one change is for at most {count_words(DEVICES_MAX)}, and these are more: filter further")
        if not looked.is_done and (until is None or looked.after < until):
            raise Invalid(
                f"{count_words(looked.devices)} were looked at, and there are more: change those that a list shows"
            )
    else:
        ticked = query.getlist("row")[:FIELDS_MAX]
        rows = [whole(row, "row", ROW_MAX, words="a row is a number: tick devices in the list") for row in ticked]
    if not rows:
        raise Invalid("no device is chosen: tick some, or choose all that the filter finds")
    return rows


def _number(query: QueryParams, name: str) -> int | None:
    """A row of the address. Raises Invalid."""
    text = query.get(name, "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Invalid(f"{name} is a number: begin again at the list", name)
    return int(text) if text else None


def _parse(connection: Connection, product: Product, fields: QueryParams | FormData) -> Change:
    """Raises Invalid, NotFound."""
    name, group, version = (security.text_of(fields.get(key)).strip() for key in ("verb", "to_group", "to_version"))
    if name not in list(Verb):
        raise Invalid("choose what to do", "verb")
    verb = Verb(name)
    if verb in (Verb.JOIN, Verb.LEAVE):
        groups.check_name(group, "to_group")
        return Change(verb, group=group)
    if verb is not Verb.LOCK:
        return Change(verb)
    wanted = version_number(version, "to_version", "say which version to lock them to")
    return Change(verb, version=releases.find(connection, product, wanted).version)
