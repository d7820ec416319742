# SPDX-License-Identifier: Apache-2.0
"""What the pages show of releases: plain facts for the templates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from muster.layout import platform_name
from muster.signing.keyset import KeySetContent
from ota_server.devices import groups
from ota_server.figures import store as figures
from ota_server.figures.models import HOUR_MS, Hour
from ota_server.figures.standing import Standing
from ota_server.products.models import Product
from ota_server.releases import service
from ota_server.releases import store as releases
from ota_server.releases.models import FULL, PatchStatus, Release, StoredImage, StoredPatch

DAYS_SHOWN = 30
POINTS_MAX = 60
VERSIONS_STACKED = 5
"""Versions that have a colour of their own; all others are one."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """Who signed an image. `missing`: how many more release keys have to; `could`: the ids of those that may."""

    release: Sequence[str]
    development: Sequence[str]
    needed: int
    could: Sequence[str]

    @property
    def missing(self) -> int:
        return max(self.needed - len(self.release), 0)


@dataclass(frozen=True, slots=True)
class ImageLine:
    """One platform's image of a release."""

    image: StoredImage
    platform: str
    signatures: Signatures
    devices: int


@dataclass(frozen=True, slots=True)
class ReleaseLine:
    """A release with what is known of it. `groups`: those that it is released to."""

    release: Release
    images: Sequence[ImageLine]
    devices: int
    groups: Sequence[str]
    is_default: bool

    @property
    def is_unsigned(self) -> bool:
        """Whether production devices refuse an image of it."""
        return any(line.signatures.missing for line in self.images)


@dataclass(frozen=True, slots=True)
class PatchLine:
    """A patch to a release. `base`: the version that it starts from; None: a full image. `devices` run the base."""

    patch: StoredPatch
    platform: str
    base: int | None
    devices: int
    full: int | None

    @property
    def share(self) -> float | None:
        """Of the full image's bytes."""
        return None if not self.full or self.patch.size is None else self.patch.size / self.full


@dataclass(frozen=True, slots=True)
class Stack:
    """Devices by version over time. `rows`: a time, and devices for each of `names`."""

    names: Sequence[str]
    rows: Sequence[tuple[int, Sequence[int]]]


def release_lines(connection: Connection, product: Product, keys: KeySetContent, stood: Standing) -> list[ReleaseLine]:
    """All releases, newest first. `stood`: the product's devices."""
    images = releases.images_of_product(connection, product.id)
    running = {(version, platform): count for version, platform, count in stood.versions}
    released = groups.released(connection, product.id)
    found = []
    for release in releases.releases_of(connection, product.id):
        own = [
            ImageLine(
                image,
                platform_name(image.platform_id),
                signatures_of(image, keys),
                running.get((release.version, image.platform_id), 0),
            )
            for image in images
            if image.release_id == release.id
        ]
        names = [name for name, version in released.items() if version == release.version]
        count = sum(number for (version, _), number in running.items() if version == release.version)
        found.append(ReleaseLine(release, own, count, names, release.version == product.default_version))
    return found


def release_line(
    connection: Connection, product: Product, version: int, keys: KeySetContent, stood: Standing
) -> ReleaseLine:
    """One release. Raises NotFound."""
    service.find(connection, product, version)
    lines = release_lines(connection, product, keys, stood)
    return next(line for line in lines if line.release.version == version)


def patch_lines(connection: Connection, product: Product, line: ReleaseLine, stood: Standing) -> list[PatchLine]:
    """Patches to a release: full images first, then by how many devices run the base."""
    images = {image.identity: image for image in releases.images_of_product(connection, product.id)}
    running = {(version, platform): count for version, platform, count in stood.versions}
    targets = {one.image.identity: one.image for one in line.images}
    wanted = releases.patches_to(connection, list(targets))
    full = {one.target_identity: one.size for one in wanted if one.base_identity == FULL}
    found = []
    for patch in wanted:
        target, base = targets[patch.target_identity], images.get(patch.base_identity)
        if patch.base_identity != FULL and base is None:
            continue  # from an image that was only flashed for development
        version = None if base is None else base.version
        count = 0 if version is None else running.get((version, target.platform_id), 0)
        size = None if version is None else full.get(patch.target_identity)
        found.append(PatchLine(patch, platform_name(target.platform_id), version, count, size))
    return sorted(found, key=lambda one: (one.base is not None, -one.devices, -(one.base or 0), one.platform))


def signatures_of(image: StoredImage, keys: KeySetContent) -> Signatures:
    """Whose signatures hold, and what a production device asks for besides."""
    signers: Mapping[str, list[str]] = json.loads(image.signers)
    signed = signers["release"]
    could = [key.key_id.hex() for key in keys.release_keys if key.key_id.hex() not in signed]
    return Signatures(signed, signers["development"], keys.release_threshold, could)


def stack(connection: Connection, product: Product, now_ms: int) -> Stack:
    """Which devices ran what in the last weeks, of the figures that are noted every hour."""
    hour = now_ms // HOUR_MS
    hours = figures.of_product(connection, product.id, hour - DAYS_SHOWN * 24)
    shown = hours[:: -max(1, -(-len(hours) // POINTS_MAX))][::-1]
    most: Counter[int | None] = Counter()
    for one in shown:
        most.update(one.by_version)
    own = sorted(
        (version for version, _ in most.most_common(VERSIONS_STACKED)),
        key=lambda version: -1 if version is None else version,
    )
    names = [*("not told" if version is None else f"version {version}" for version in own)]
    has_others = len(most) > len(own)
    rows = [((one.hour + 1) * HOUR_MS, _counts(one, own, has_others)) for one in shown]
    # The hour at hand is not over.
    rows = [(min(at_ms, now_ms), counts) for at_ms, counts in rows]
    return Stack([*names, *(["others"] if has_others else [])], rows)


def is_ready(patch: StoredPatch) -> bool:
    return patch.status is PatchStatus.READY and patch.digest is not None


def _counts(hour: Hour, own: Sequence[int | None], has_others: bool) -> list[int]:
    found = hour.by_version
    counts = [found.get(version, 0) for version in own]
    return [*counts, sum(found.values()) - sum(counts)] if has_others else counts
