# SPDX-License-Identifier: Apache-2.0
"""Which version a product and its groups run that no rollout reaches, and what becomes of versions nobody wants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from ota_server.devices import groups as device_groups
from ota_server.devices import store as devices_store
from ota_server.devices.models import DeviceStatus, devices, group_devices, groups
from ota_server.errors import Conflict, Invalid
from ota_server.figures.standing import Standing
from ota_server.products import store as products
from ota_server.products.models import Product
from ota_server.releases import service, store
from ota_server.releases.models import Release, StoredImage
from ota_server.rollouts import store as rollouts

NAMED_MAX = 10_000
"""Devices of groups with releases of their own that `likely_impact` looks at, some at a time."""
NAMED_AT_ONCE = 1000
TITLE_MAX = 200
DESCRIPTION_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Impact:
    """How many devices a release would bring up to its version.

    Attributes:
        devices: by the version that they run now, newest first.
        is_most: fewer may be, for those of groups that have a release of their own are counted too.
    """

    devices: Sequence[tuple[int | None, int]]
    is_most: bool = False


def release(
    connection: Connection,
    product: Product,
    version: int,
    default: bool | None,
    names: Collection[str] | None,
    is_forced: bool,
    now_ms: int,
) -> Release:
    """Makes a version the product's default (or not any more), and what exactly these groups run; None: as before.

    Before its first release a version must run, confirmed, on a device of the product, unless it is forced.

    Raises:
        NotFound: no such version or group.
        Conflict: it has not run yet, or is killed.
    """
    found = service.find(connection, product, version)
    is_wider = bool(default) or bool(names)
    if is_wider:
        service.check_alive(found)
    if is_wider and not is_forced and found.released_ms is None and not _has_run(connection, product, found):
        raise Conflict(
            f"version {version} has not run on a device of the product yet: lock one device to it, flash one for "
            "development, start a rollout, or force it"
        )
    if is_wider and found.released_ms is None:
        store.change_release(connection, found.id, {"released_ms": now_ms})
    if default is not None and default != (product.default_version == version):
        products.set_default_version(connection, product.id, version if default else None)
    if names is not None:
        device_groups.set_released(connection, product, version, names)
    return service.find(connection, product, version)


def change(connection: Connection, product: Product, version: int, changes: Mapping[str, str]) -> Release:
    """Sets title or description. Raises NotFound, Invalid."""
    found = service.find(connection, product, version)
    for name, longest in (("title", TITLE_MAX), ("description", DESCRIPTION_MAX)):
        if len(changes.get(name, "")) > longest:
            raise Invalid(f"{name} has at most {longest} characters", name)
    if changes:
        store.change_release(connection, found.id, changes)
    return service.find(connection, product, version)


def remove(connection: Connection, product: Product, version: int) -> None:
    """Removes a version that no device was ever meant to run.

    Raises:
        NotFound: no such version.
        Conflict: it was released, rolled out, offered, or a device runs it or is locked to it.
    """
    found = service.find(connection, product, version)
    identities = [image.identity for image in _images(connection, product, found)]
    reasons = {
        "was released": found.released_ms is not None,
        "has a rollout": rollouts.has_any_of(connection, found.id),
        "was offered to a device": rollouts.has_attempt_with(connection, identities),
        "is what a device runs or is locked to": devices_store.has_version(connection, product.id, version),
    }
    for reason, holds in reasons.items():
        if holds:
            raise Conflict(f"version {version} {reason}: what devices may have run is not forgotten")
    store.remove_release(connection, found.id)
    products.plan_changed(connection, product.id)


def impact(
    connection: Connection, product: Product, version: int, default: bool, names: Collection[str]
) -> list[tuple[int | None, int]]:
    """How many devices a release would bring up to the version, by the version that they run now, newest first.

    An estimate: running rollouts, and higher versions released to other groups of a device, are not looked at.
    Raises NotFound.
    """
    found = service.find(connection, product, version)
    wanted = [device_groups.find(connection, product, name).id for name in names]
    in_groups = devices.c.id.in_(select(group_devices.c.device_row).where(group_devices.c.group_id.in_(wanted)))
    with_release = _with_release(product)
    reached = or_(in_groups, devices.c.id.not_in(with_release)) if default else in_groups
    return _below(connection, product, found, reached)


def likely_impact(connection: Connection, product: Product, version: int, stood: Standing) -> Impact:
    """What making a version the default would bring up to it, without a look at many devices. Raises NotFound.

    `stood`: the product's devices.
    """
    found = service.find(connection, product, version)
    if stood.counted_ms is None:
        return Impact(impact(connection, product, version, True, []))
    platforms = {image.platform_id for image in _images(connection, product, found)}
    reached: Counter[int | None] = Counter()
    for one in stood.tallies:
        is_free = one.status is DeviceStatus.ACTIVE and not one.development and one.locked_version is None
        if is_free and one.version is not None and one.version < version and one.platform_id in platforms:
            reached[one.version] += one.devices
    rows = connection.execute(_with_release(product).limit(NAMED_MAX + 1)).scalars().all()
    if len(rows) <= NAMED_MAX:
        for piece in range(0, len(rows), NAMED_AT_ONCE):
            among = devices.c.id.in_(rows[piece : piece + NAMED_AT_ONCE])
            reached.subtract(dict(_below(connection, product, found, among)))
    by_version = sorted(reached.items(), key=lambda one: -(one[0] or 0))
    return Impact([one for one in by_version if one[1] > 0], len(rows) > NAMED_MAX)


def _with_release(product: Product) -> Select[int]:
    """Rows of devices in groups that have a release of their own."""
    return (
        select(group_devices.c.device_row)
        .join(groups, groups.c.id == group_devices.c.group_id)
        .where(groups.c.product_id == product.id, groups.c.released_version.is_not(None))
        .distinct()
    )


def _below(
    connection: Connection, product: Product, found: Release, reached: ColumnElement[bool]
) -> list[tuple[int | None, int]]:
    """Devices that a release could bring up to it, by the version that they run, newest first."""
    rows = connection.execute(
        select(devices.c.product_version, func.count())
        .where(
            devices.c.product_id == product.id,
            devices.c.status == DeviceStatus.ACTIVE,
            devices.c.development.is_(False),
            devices.c.locked_version.is_(None),
            devices.c.product_version < found.version,
            devices.c.platform_id.in_([image.platform_id for image in _images(connection, product, found)]),
            reached,
        )
        .group_by(devices.c.product_version)
        .order_by(devices.c.product_version.desc())
    )
    return [(running, count) for running, count in rows]


def _has_run(connection: Connection, product: Product, found: Release) -> bool:
    identities = [image.identity8 for image in _images(connection, product, found)]
    return devices_store.runs_any(connection, product.id, identities) or rollouts.has_confirmed(connection, found.id)


def _images(connection: Connection, product: Product, found: Release) -> list[StoredImage]:
    return [one for one in store.images_of_product(connection, product.id) if one.release_id == found.id]
