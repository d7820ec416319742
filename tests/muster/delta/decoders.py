# SPDX-License-Identifier: Apache-2.0
"""Both decoders in the same shape: the device's, in C, and the one in plain Python."""

from __future__ import annotations

from muster.delta import apply
from muster.errors import MusterError
from muster.status import OtaStatus
from tests.muster.delta import reference_decoder


def applied(base: bytes, patch: bytes) -> bytes | OtaStatus | None:
    """The target, or the status of the error; None for an error that has no status."""
    try:
        return apply(base, patch)
    except MusterError as error:
        return error.status


def outcome(base: bytes, patch: bytes) -> bytes | OtaStatus:
    """The same from the second decoder."""
    found = reference_decoder.outcome(base, patch)
    return found if isinstance(found, bytes) else OtaStatus[found.removeprefix("OTA_")]
