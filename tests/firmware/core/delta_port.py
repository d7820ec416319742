# SPDX-License-Identifier: Apache-2.0
"""The decoder's port over Python's memory. It holds the decoder to its promises: order, alignment, bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from muster.delta import PatchHeader
from muster.status import OtaStatus
from tests.host.library import CoreLibrary

PROFILE_4K = 1 << 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a device would save: the state's bytes, and where to push from."""

    state: bytes
    patch_off: int
    position: int


class DeltaPort:
    """One decoder with its port. `written` has one entry per byte of the target: None until it is written."""

    def __init__(self, core: CoreLibrary, base: bytes, header: PatchHeader, profiles: int = PROFILE_4K) -> None:
        self._ffi, self._lib = core.ffi, core.lib
        self.base = base
        self.header = header
        self.written: list[int | None] = [None] * header.target_len
        self.pieces: list[tuple[int, int]] = []
        self.checkpoints: list[Checkpoint] = []
        self.begun = 0
        self.refuse: dict[str, OtaStatus] = {}
        self._failures: list[BaseException] = []
        self.state = self._ffi.new("struct ota_delta *")
        self._callbacks = [
            self._callback(name) for name in ("begin", "read_base", "read_target", "write_target", "checkpoint")
        ]
        self.port = self._ffi.new("struct ota_delta_port *", [self._ffi.NULL, *self._callbacks])
        self._lib.ota_delta_init(self.state, profiles)

    @property
    def target(self) -> bytes:
        """The whole target; an error when a byte is missing."""
        assert None not in self.written
        return bytes(byte for byte in self.written if byte is not None)

    def push(self, patch: bytes, pieces: Iterable[int] = ()) -> OtaStatus:
        """Pushes pieces of these lengths, then the rest at once."""
        at = 0
        for length in pieces:
            status = self._push(patch[at : at + length])
            if status is not OtaStatus.OK:
                return status
            at += length
        return self._push(patch[at:])

    def finish(self) -> OtaStatus:
        return self._status(self._lib.ota_delta_finish(self.state, self.port))

    def decode(self, patch: bytes, pieces: Iterable[int] = ()) -> OtaStatus:
        status = self.push(patch, pieces)
        return self.finish() if status is OtaStatus.OK else status

    @property
    def made(self) -> int:
        """Target bytes that were decoded, written or not."""
        state: Any = self.state
        return int(state.written + state.out_len)

    def is_done(self) -> bool:
        return bool(self._lib.ota_delta_is_done(self.state))

    def state_bytes(self) -> bytes:
        return bytes(self._ffi.buffer(self.state))

    def restore(self, state: bytes) -> tuple[OtaStatus, int]:
        """Status of resuming from these bytes, and the offset to push from."""
        self._ffi.buffer(self.state)[:] = state
        patch_off = self._ffi.new("uint32_t *", 0xFFFF_FFFF)
        status = OtaStatus(self._lib.ota_delta_resume(self.state, patch_off))
        return status, int(patch_off[0])

    def position_of(self, offset: int) -> int:
        """Place of a target byte in the order of writing (docs/spec/patch.md section 3)."""
        header = self.header
        if header.kind == 0:
            return offset
        ext_start = header.target_len - 556
        if offset >= ext_start:
            return offset
        if offset >= header.target_reloc_start:
            return offset - header.target_reloc_start
        return offset + ext_start - header.target_reloc_start

    def _push(self, piece: bytes) -> OtaStatus:
        return self._status(self._lib.ota_delta_push(self.state, self.port, piece, len(piece)))

    def _callback(self, name: str) -> Any:
        member = dict(self._ffi.typeof("struct ota_delta_port").fields)[name].type
        action: Callable[..., OtaStatus] = getattr(self, f"_{name}")

        def call(_: Any, *arguments: Any) -> int:
            return self.refuse.get(name) or action(*arguments)

        return self._ffi.callback(member, call, error=int(OtaStatus.ERR_TIMEOUT), onerror=self._keep_failure)

    def _keep_failure(self, kind: Any, failure: BaseException, traceback: Any) -> None:
        """C cannot raise: what went wrong in a callback waits for the call that led there to return."""
        self._failures.append(failure)

    def _status(self, status: int) -> OtaStatus:
        if self._failures:
            raise self._failures.pop()
        return OtaStatus(status)

    def _begin(self, header: Any) -> OtaStatus:
        assert not self.pieces
        self.begun += 1
        assert header.target_len == self.header.target_len
        assert bytes(header.base_identity) == self.header.base_identity
        return OtaStatus.OK if header.base_len == len(self.base) else OtaStatus.ERR_PATCH_BASE

    def _read_base(self, off: int, out: Any, length: int) -> OtaStatus:
        assert 0 < length <= len(self.base) - off
        self._ffi.buffer(out, length)[:] = self.base[off : off + length]
        return OtaStatus.OK

    def _read_target(self, off: int, out: Any, length: int) -> OtaStatus:
        assert 0 < length <= len(self.written) - off
        found = self.written[off : off + length]
        assert None not in found
        self._ffi.buffer(out, length)[:] = bytes(byte for byte in found if byte is not None)
        return OtaStatus.OK

    def _write_target(self, off: int, raw: Any, length: int) -> OtaStatus:
        assert 0 < length <= 256
        assert length <= len(self.written) - off
        self.written[off : off + length] = self._ffi.buffer(raw, length)[:]
        self.pieces.append((off, length))
        return OtaStatus.OK

    def _checkpoint(self, state: Any, patch_off: int) -> OtaStatus:
        off, length = self.pieces[-1]
        self.checkpoints.append(
            Checkpoint(bytes(self._ffi.buffer(state)), patch_off, self.position_of(off + length - 1) + 1)
        )
        return OtaStatus.OK
