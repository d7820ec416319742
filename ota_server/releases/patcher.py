# SPDX-License-Identifier: Apache-2.0
"""Makes patches in a thread of its own: one job per pair, verified by the device's decoder before it counts."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from ota_server.clock import Clock
from ota_server.errors import Unavailable
from ota_server.releases import store
from ota_server.releases.encoder import Encoder, EncoderStopped, PatchNotMade
from ota_server.releases.models import FULL, PatchStatus, StoredPatch
from ota_server.storage.blobs import BlobStore
from ota_server.storage.database import Database
from ota_server.telemetry.feed import Feed
from ota_server.worker import Worker

LOOK_EVERY_S = 20.0
"""When nobody says that there is something to do: the database may have been away, or a worker been killed."""
RENEW_EVERY_S = 10.0
"""How often a job's lease is renewed while the work goes on; well below `store.LEASE_MS`."""
TRIES_MAX = 3
"""A job that ended so many encoders is not begun again. A worker that was killed says nothing of its job."""
PUT_OFF_MS = 10_000

_logger = logging.getLogger("ota_server.patcher")


class Patcher(Worker):
    """Works off the wishes in `patches`, those of most devices first.

    Any number may do so, in any number of processes: each takes a job by a short lease that it renews as it works, and
    what it made counts only while that is its own. Of one that was killed another takes the job within a minute. The
    bytes are named by their digest, so that making them twice changes nothing.

    Args:
        images: where images are kept.
        served: where patches go that devices may fetch.
    """

    def __init__(
        self,
        database: Database,
        images: BlobStore,
        served: BlobStore,
        encoder: Encoder,
        feed: Feed,
        clock: Clock,
    ) -> None:
        super().__init__("patcher", LOOK_EVERY_S)
        self._database = database
        self._images = images
        self._served = served
        self._encoder = encoder
        self._feed = feed
        self._clock = clock

    def do_next(self) -> bool:
        """Makes the patch that most devices wait for."""
        now_ms = self._clock.now_ms()
        with self._database.read() as connection:
            if store.due_patch(connection, now_ms) is None:
                return False
        lease = os.urandom(16)
        patch = self._database.write(lambda connection: store.take_patch(connection, lease, now_ms))
        if patch is not None:
            self._do(patch, lease)
        return True

    def _do(self, patch: StoredPatch, lease: bytes) -> None:
        values: dict[str, object]
        try:
            with self._held(patch.id, lease):
                status, values = PatchStatus.READY, self._make(patch)
        except PatchNotMade as error:
            _logger.warning("patch %d cannot be made: %s", patch.id, error)
            status, values = PatchStatus.FAILED, {"error": str(error)}
        except (EncoderStopped, Unavailable, OSError) as error:
            _logger.warning("patch %d is put off: %s", patch.id, error)
            due_ms = self._clock.now_ms() + PUT_OFF_MS
            is_try = isinstance(error, EncoderStopped)
            self._database.write(lambda connection: store.put_off_patch(connection, patch.id, lease, due_ms, is_try))
            return
        if self._database.write(lambda connection: store.finish_patch(connection, patch, lease, status, values)):
            self._feed.publish(patch.product_id)

    @contextmanager
    def _held(self, patch_id: int, lease: bytes) -> Iterator[None]:
        """Renews the lease of a job until the context ends."""
        over = threading.Event()

        def renew_now(connection: Connection) -> None:
            store.renew_patch(connection, patch_id, lease, self._clock.now_ms())

        def renew() -> None:
            while not over.wait(RENEW_EVERY_S):
                # Where it cannot be renewed the job may be another's before it ends; then that one's result counts.
                with suppress(Unavailable):
                    self._database.write(renew_now)

        thread = threading.Thread(target=renew, name=f"{self.name}-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _make(self, patch: StoredPatch) -> dict[str, object]:
        if patch.tries >= TRIES_MAX:
            raise PatchNotMade(f"making it was cut short {patch.tries} times")
        base = b"" if patch.base_identity == FULL else self._image(patch.base_identity)
        made = self._encoder.make(base, self._image(patch.target_identity))
        # The bytes are kept before the row says so: an offer never names what is not there.
        digest = self._served.put(made.raw)
        return {
            "digest": digest,
            "size": len(made.raw),
            "duration_ms": made.duration_ms,
            "memory_bytes": made.memory_bytes,
        }

    def _image(self, identity: bytes) -> bytes:
        with self._database.read() as connection:
            image = store.image_by_identity(connection, identity)
        raw = None if image is None else self._images.get(image.blob)
        if raw is None:
            raise PatchNotMade(f"the image {identity.hex()[:16]} is not kept here")
        return raw
