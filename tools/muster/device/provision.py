# SPDX-License-Identifier: Apache-2.0
"""Development identities: throw-away device keys that are made from another key instead of on the device."""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from muster.device.identity_page import ANY_CHIP, IdentityPage
from muster.layout import Lifecycle
from muster.signing.keys import SEED_SIZE, PrivateKey
from muster.signing.keyset import RootKeys

_INFO = b"muster development device"


def development_device_key(development_key: PrivateKey, product_id: int, platform_id: int) -> PrivateKey:
    """The device key that all development boards of a product and platform share.

    HKDF-SHA-256 (RFC 5869) of the development key's seed, so that equal inputs give equal builds.
    """
    info = _INFO + struct.pack("<HH", product_id, platform_id)
    return PrivateKey(HKDF(SHA256(), SEED_SIZE, salt=None, info=info).derive(development_key.seed))


def development_identity(
    product_id: int, hardware_revision: int, roots: RootKeys, device_key: PrivateKey
) -> IdentityPage:
    """An identity for any chip, with lifecycle development.

    Raises:
        ValueOutOfRange: product id or hardware revision have no legal value.
    """
    return IdentityPage(product_id, hardware_revision, Lifecycle.DEVELOPMENT, roots, ANY_CHIP, device_key)
