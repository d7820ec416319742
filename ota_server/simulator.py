# SPDX-License-Identifier: Apache-2.0
"""Simulated devices that this process lets live: at most one for a product, and until it ends."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Sequence

from muster.fleet.fleet import Fleet, Model, Running
from muster.fleet.load import Address
from muster.fleet.seeded import seeded, seeded_key
from muster.fleet.single import live
from muster.fleet.traits import Mix
from muster.layout import PLATFORM_IDS, PlatformName
from muster.signing.keys import PrivateKey, PublicKey
from ota_server.releases.models import StoredImage

_UNKNOWN = Running(hashlib.sha256(b"an image that nobody has built").digest()[:8], 0)
_ALWAYS_ON = Mix(0.0, 0.0, 0.0, 0.0)


class Simulator:
    """Who these devices are follows from a secret, so that one that is started again is the same. Of one event loop."""

    def __init__(self, secret: PrivateKey) -> None:
        self._secret = secret
        self._lives: dict[int, asyncio.Task[None]] = {}

    def identity(self, product_id: int) -> tuple[str, PublicKey]:
        """Id and key of a product's simulated device."""
        seed = self._seed(product_id)
        return seeded(seed, 0).device_id.hex(), seeded_key(seed, 0).public_key

    def is_running(self, product_id: int) -> bool:
        life = self._lives.get(product_id)
        return life is not None and not life.done()

    def start(self, product_id: int, images: Sequence[StoredImage], address: Address) -> None:
        """Lets a product's device live, if it does not; it runs one of these images, or one that nobody knows."""
        if self.is_running(product_id):
            return
        platform_id = images[0].platform_id if images else PLATFORM_IDS[PlatformName.PHOTON]
        known = [Running(one.identity8, one.version) for one in images if one.platform_id == platform_id]
        model = Model(self._seed(product_id), 1, product_id, platform_id, tuple(known) or (_UNKNOWN,), _ALWAYS_ON)
        self._lives[product_id] = asyncio.create_task(live(Fleet(model), address))

    def stop(self, product_id: int) -> None:
        """Ends a device's life, if it lives."""
        life = self._lives.pop(product_id, None)
        if life is not None:
            life.cancel()

    def _seed(self, product_id: int) -> str:
        return hmac.digest(self._secret.seed, f"simulated device of product {product_id}".encode(), "sha256").hex()
