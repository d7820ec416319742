# SPDX-License-Identifier: Apache-2.0
"""Counts anew what hourly figures have added up, as far as the rows are still there."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from ota_server.figures import store
from ota_server.figures.models import COUNTED, HOUR_MS, product_hours
from ota_server.storage.check import Difference

_SURE_HOURS = store.KEPT_HOURS - 24
"""Hours before the newest one that are surely kept."""


def check_figures(connection: Connection) -> Iterator[Difference]:
    """No row that was counted is missing in the sum of its product's hours, which may hold rows that are gone since."""
    kept = product_hours.c
    sums = [func.sum(kept[name]).label(name) for name in COUNTED]
    query = select(kept.product_id, func.max(kept.hour).label("newest"), *sums).group_by(kept.product_id)
    hours = {row.product_id: row._mapping for row in connection.execute(query)}
    marks = store.marks(connection)
    newest = min((row["newest"] for row in hours.values()), default=0)
    for name, mark in marks.items():
        since_ms = (newest - _SURE_HOURS) * HOUR_MS
        found = store.counts(connection, name, mark.first_id, mark.counted_id, since_ms)
        for product_id, counts in sorted(found.items()):
            for figure, count in sorted(counts.items()):
                noted = hours[product_id][figure] if product_id in hours else 0
                if noted < count:
                    yield Difference(
                        f"hours of product {product_id}", f"`{figure}` add up to {noted}, and its rows say {count}"
                    )
    rows = connection.execute(select(kept.product_id, kept.hour, kept.devices, kept.versions))
    for product_id, hour, devices, versions in rows:
        told = store.total(versions)
        if devices != told:
            yield Difference(
                f"hour {hour} of product {product_id}", f"`devices` is {devices}, and its versions say {told}"
            )
