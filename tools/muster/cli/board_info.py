# SPDX-License-Identifier: Apache-2.0
"""What a device says of itself, as facts to print."""

from __future__ import annotations

from muster.inspection import Facts
from muster.layout import Lifecycle, Slot, platform_name
from muster.serial import Info
from muster.signing.keys import PublicKey


def info_facts(info: Info) -> Facts:
    """INFO under the names of the glossary."""
    return {
        "device_id": info.device_id.hex(),
        "platform": platform_name(info.platform_id),
        "product_id": info.product_id,
        "version": info.version,
        "identity": info.identity.hex(),
        "slot": _name(Slot, info.slot),
        "state": info.boot_state.name,
        "attempt": info.attempt,
        "trials": info.trial_count,
        "outcome": _outcome(info),
        "hardware_revision": info.hardware_revision,
        "lifecycle": _name(Lifecycle, info.lifecycle),
        "security_counter": info.security_counter,
        "bootloader_version": info.bootloader_version,
        "keyset_version": info.keyset_version,
        "reset": info.reset.name,
        "fault": _fault(info),
        "link_errors": info.link_errors,
        "flash_errors": info.flash_errors,
        "uptime_ms": info.uptime_ms,
        "download": None if info.download is None else {"digest": info.download[0].hex(), "bytes": info.download[1]},
        "fingerprint": PublicKey(info.device_key).fingerprint if info.device_key else None,
    }


def _name(kind: type[Slot] | type[Lifecycle], number: int) -> str:
    """The name of a number that a device of a later version may have chosen."""
    return next((known.name for known in kind if known == number), str(number))


def _outcome(info: Info) -> Facts | None:
    outcome = info.outcome
    if outcome is None:
        return None
    return {
        "type": outcome.type.name,
        "attempt": outcome.attempt,
        "identity": outcome.identity.hex(),
        "reason": outcome.reason_text,
    }


def _fault(info: Info) -> Facts | None:
    fault = info.fault
    if fault is None:
        return None
    words = {"pc": fault.pc, "lr": fault.lr, "cfsr": fault.cfsr, "addr": fault.addr}
    return {"exception": fault.exception, **{name: f"0x{word:08x}" for name, word in words.items()}}
