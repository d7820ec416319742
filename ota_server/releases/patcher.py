# SPDX-License-Identifier: Apache-2.0
"""Makes patches in a thread of its own: one job per pair, verified by the device's decoder before it counts."""

from __future__ import annotations

import logging

from muster import delta
from muster.errors import MusterError
from ota_server.clock import Clock
from ota_server.releases import store
from ota_server.releases.models import FULL, PatchStatus, StoredPatch
from ota_server.storage.blobs import BlobStore
from ota_server.storage.database import Database
from ota_server.telemetry.feed import Feed
from ota_server.worker import Worker

LOOK_EVERY_S = 60.0
"""When nobody says that there is something to do: the database may have been away, or a wish be another process's."""

_logger = logging.getLogger("ota_server.patcher")


class Patcher(Worker):
    """Works off the wishes in `patches`, oldest first.

    Args:
        images: where images are kept.
        served: where patches go that devices may fetch.
    """

    def __init__(self, database: Database, images: BlobStore, served: BlobStore, feed: Feed, clock: Clock) -> None:
        super().__init__("patcher", LOOK_EVERY_S)
        self._database = database
        self._images = images
        self._served = served
        self._feed = feed
        self._clock = clock

    def do_next(self) -> bool:
        """Makes the patch that was wished for first."""
        with self._database.read() as connection:
            patch = store.pending_patch(connection)
        if patch is None:
            return False
        self._do(patch)
        return True

    def _do(self, patch: StoredPatch) -> None:
        values: dict[str, object]
        try:
            raw = self._make(patch)
        except (MusterError, OSError) as error:
            _logger.warning("patch %d cannot be made: %s", patch.id, error)
            status, values = PatchStatus.FAILED, {"error": str(error)}
        else:
            # The bytes are on disk before the row says so: an offer never names what is not there.
            status, values = PatchStatus.READY, {"digest": self._served.put(raw), "size": len(raw)}
        self._database.write(lambda connection: store.move_patch(connection, patch, status, values))
        self._feed.publish(patch.product_id)

    def _make(self, patch: StoredPatch) -> bytes:
        target = self._image(patch.target_identity)
        if patch.base_identity == FULL:
            base, raw = b"", delta.encode_full(target).raw
        else:
            base = self._image(patch.base_identity)
            raw = delta.encode(base, target).raw
        if delta.apply(base, raw) != target:
            raise PatchNotVerified("the patch does not decode to its target")
        return raw

    def _image(self, identity: bytes) -> bytes:
        with self._database.read() as connection:
            image = store.image_by_identity(connection, identity)
        raw = None if image is None else self._images.get(image.blob)
        if raw is None:
            raise PatchNotVerified(f"the image {identity.hex()[:16]} is not kept here")
        return raw


class PatchNotVerified(MusterError):
    """A patch that must not be offered."""
