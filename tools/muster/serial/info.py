# SPDX-License-Identifier: Apache-2.0
"""The INFO message: what a device says about itself (docs/spec/serial_link.md section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self

from muster import cbor
from muster.device.bootlog import RecordType, reason_text
from muster.errors import FormatError
from muster.serial.messages import MessageType
from muster.status import OtaStatus

KEYS = 20
DEVICE_KEY_SIZE = 32


class BootState(IntEnum):
    """How the running image stands."""

    UNKNOWN = 0
    """Neither on trial nor confirmed: the device has no readable boot log."""
    CONFIRMED = 1
    TRIAL = 2


class ResetCause(IntEnum):
    """Why the device started last."""

    POWER = 0
    WATCHDOG = 1
    FAULT = 2
    SOFTWARE = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last attempt ended that no server has heard of yet.

    Attributes:
        type: CONFIRMED, REJECTED or INTERRUPTED.
        attempt: the one of the offer; 0 for what was there from the beginning.
        identity: first 16 bytes of the image's identity.
        reason: as in the boot log.
    """

    type: RecordType
    attempt: int
    identity: bytes
    reason: int

    @property
    def reason_text(self) -> str:
        """The reason's name."""
        return reason_text(self.reason)


@dataclass(frozen=True, slots=True)
class FaultInfo:
    """The fault that ended the run before this one: exception number, addresses, and the fault status registers."""

    exception: int
    pc: int
    lr: int
    cfsr: int
    addr: int


@dataclass(frozen=True, slots=True)
class Info:
    """What a device says about itself.

    Attributes:
        device_id: 12 bytes.
        identity: of the running image, 32 bytes; empty when it cannot be read.
        slot: 0 A, 1 B.
        security_counter: the lowest that this device accepts.
        attempt: of the trial, or of the confirmation.
        trial_count: how often the trial has begun; 0 when there is none.
        outcome, fault: None when there is none.
        link_errors, flash_errors: since the last reset.
        download: digest of the patch being downloaded and how many of its bytes have come, or None.
        device_key: public, 32 bytes; empty without an identity page.
    """

    type: ClassVar[MessageType] = MessageType.INFO
    device_id: bytes
    product_id: int
    version: int
    platform_id: int
    identity: bytes
    slot: int
    hardware_revision: int
    lifecycle: int
    security_counter: int
    boot_state: BootState
    attempt: int
    trial_count: int
    outcome: Outcome | None
    reset: ResetCause
    fault: FaultInfo | None
    bootloader_version: int
    keyset_version: int
    link_errors: int
    flash_errors: int
    uptime_ms: int
    download: tuple[bytes, int] | None
    device_key: bytes

    def to_body(self) -> bytes:
        """The one encoding."""
        outcome, fault, download = self.outcome, self.fault, self.download
        values: list[object] = [
            self.device_id,
            self.product_id,
            self.version,
            self.platform_id,
            self.identity,
            self.slot,
            self.hardware_revision,
            self.lifecycle,
            self.security_counter,
            [int(self.boot_state), self.attempt, self.trial_count],
            None if outcome is None else [int(outcome.type), outcome.attempt, outcome.identity, int(outcome.reason)],
            int(self.reset),
            None if fault is None else [fault.exception, fault.pc, fault.lr, fault.cfsr, fault.addr],
            self.bootloader_version,
            self.keyset_version,
            self.link_errors,
            self.flash_errors,
            self.uptime_ms,
            None if download is None else list(download),
            self.device_key,
        ]
        return cbor.dumps(dict(enumerate(values, start=1)))

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        """Parses the one encoding.

        Raises:
            FormatError: anything else (status ERR_MESSAGE).
        """
        try:
            fields = cbor.loads(body)
            if not isinstance(fields, dict) or list(fields) != list(range(1, KEYS + 1)):
                raise FormatError(f"not a map of the keys 1 to {KEYS}")
            boot_state, attempt, trial_count = _ints(fields[10], 3)
            return cls(
                device_id=_bytes(fields[1]),
                product_id=_int(fields[2]),
                version=_int(fields[3]),
                platform_id=_int(fields[4]),
                identity=_bytes(fields[5]),
                slot=_int(fields[6]),
                hardware_revision=_int(fields[7]),
                lifecycle=_int(fields[8]),
                security_counter=_int(fields[9]),
                boot_state=BootState(boot_state),
                attempt=attempt,
                trial_count=trial_count,
                outcome=_outcome(fields[11]),
                reset=ResetCause(_int(fields[12])),
                fault=None if fields[13] is None else FaultInfo(*_ints(fields[13], 5)),
                bootloader_version=_int(fields[14]),
                keyset_version=_int(fields[15]),
                link_errors=_int(fields[16]),
                flash_errors=_int(fields[17]),
                uptime_ms=_int(fields[18]),
                download=_download(fields[19]),
                device_key=_device_key(fields[20]),
            )
        except (FormatError, ValueError) as error:
            raise FormatError(f"INFO: {error}", OtaStatus.ERR_MESSAGE) from error


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise FormatError(f"{value!r} is no integer")
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise FormatError(f"{value!r} is no byte string")
    return value


def _list(value: object, count: int) -> list[object]:
    if not isinstance(value, list) or len(value) != count:
        raise FormatError(f"{value!r} is no array of {count}")
    return value


def _ints(value: object, count: int) -> list[int]:
    return [_int(item) for item in _list(value, count)]


def _outcome(value: object) -> Outcome | None:
    if value is None:
        return None
    kind, attempt, identity, reason = _list(value, 4)
    return Outcome(RecordType(_int(kind)), _int(attempt), _bytes(identity), _int(reason))


def _download(value: object) -> tuple[bytes, int] | None:
    if value is None:
        return None
    digest, patch_off = _list(value, 2)
    return _bytes(digest), _int(patch_off)


def _device_key(value: object) -> bytes:
    key = _bytes(value)
    if len(key) not in (0, DEVICE_KEY_SIZE):
        raise FormatError(f"a device key has {DEVICE_KEY_SIZE} bytes")
    return key
