# SPDX-License-Identifier: Apache-2.0
"""Makes patches in a thread of its own: one job per pair, verified by the device's decoder before it counts."""

from __future__ import annotations

import logging
import threading

from muster import delta
from muster.errors import MusterError
from ota_server.clock import Clock
from ota_server.releases import store
from ota_server.releases.models import FULL, PatchStatus, StoredPatch
from ota_server.storage.blobs import BlobStore
from ota_server.storage.database import Database
from ota_server.telemetry.feed import Feed

_logger = logging.getLogger("ota_server.patcher")


class Patcher:
    """Works off the wishes in `patches`, oldest first. Jobs are idempotent: a killed one is done again.

    Args:
        images: where images are kept.
        served: where patches go that devices may fetch.
    """

    def __init__(self, database: Database, images: BlobStore, served: BlobStore, feed: Feed, clock: Clock) -> None:
        self._database = database
        self._images = images
        self._served = served
        self._feed = feed
        self._clock = clock
        self._wake = threading.Event()
        self._working = threading.Lock()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="patcher", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.wake()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Ends after the patch that is being made."""
        self._is_stopping = True
        self.wake()
        self._thread.join()

    def work_off(self) -> int:
        """Makes every patch that is wished for now; returns how many jobs were done."""
        done = 0
        # One at a time: two makers would do the same job twice.
        with self._working:
            while not self._is_stopping:
                with self._database.read() as connection:
                    patch = store.pending_patch(connection)
                if patch is None:
                    break
                self._do(patch)
                done += 1
        return done

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.wait()
            self._wake.clear()
            self.work_off()

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
