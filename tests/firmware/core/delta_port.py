# SPDX-License-Identifier: Apache-2.0
"""The decoder's port over Python's memory. It holds the decoder to its promises: order, alignment, bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from muster.delta import ImageLayout, PatchHeader, PatchKind, PatchProfile
from muster.delta.header import NO_BASE
from muster.errors import FormatError
from muster.layout import TAIL_SIZE
from muster.status import OtaStatus
from tests.host.library import CoreLibrary

_BLOCK_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a device would save: the state's bytes, where to push from, and how many body bytes are written."""

    state: bytes
    patch_off: int
    position: int


def layout_of(base: bytes, kind: PatchKind) -> ImageLayout:
    """What a device that holds `base` tells its decoder: of bytes that are no image, what a raw patch needs."""
    if not base:
        return NO_BASE
    try:
        return ImageLayout.of(base, kind)
    except FormatError:
        return ImageLayout.of(base, PatchKind.RAW)


def counters_of(core: CoreLibrary, profile: int) -> int:
    """How many counters a decoder of this profile has."""
    return int(getattr(core.lib, f"OTA_DELTA_COUNTERS_{PatchProfile(profile).name}"))


class DeltaPort:
    """One decoder with its port. `written` has one entry per byte of the target: None until it is written."""

    def __init__(
        self,
        core: CoreLibrary,
        base: bytes,
        header: PatchHeader,
        *,
        profile: PatchProfile = PatchProfile.LARGE,
        layout: ImageLayout | None = None,
    ) -> None:
        """`header`: of the patch that will be pushed. `layout`: of the base, when it is not to be the true one."""
        self._ffi, self._lib = core.ffi, core.lib
        self.base = base
        self.header = header
        self.layout = layout or layout_of(base, header.kind)
        self.target_len = header.target_length(len(base))
        self.reloc_start = header.reloc_change + (0 if header.is_full_image else self.layout.reloc_start)
        self.written: list[int | None] = [None] * self.target_len
        self.pieces: list[tuple[int, int]] = []
        self.checkpoints: list[Checkpoint] = []
        self.begun = 0
        self.refuse: dict[str, OtaStatus] = {}
        self._failures: list[BaseException] = []
        self.state = self._ffi.new("struct ota_delta *")
        # exactly as many as there are: the address sanitizer sees the first one too many
        self.counters = self._ffi.new("uint16_t[]", counters_of(core, profile))
        self._callbacks = [
            self._callback(name) for name in ("begin", "read_base", "read_target", "write_target", "checkpoint")
        ]
        self.port = self._ffi.new("struct ota_delta_port *", [self._ffi.NULL, *self._callbacks])
        self._facts = self._ffi.new(
            "struct ota_delta_base *", [[self.layout.length, self.layout.reloc_start], self.layout.base_check]
        )
        self._lib.ota_delta_init(self.state, self.counters, len(self.counters), self._facts)

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
        """Body bytes of the target that were decoded, written or not."""
        state: Any = self.state
        return int(state.kept.position)

    def is_done(self) -> bool:
        return bool(self._lib.ota_delta_is_done(self.state))

    def restore(self, saved: bytes) -> tuple[OtaStatus, int]:
        """Status of resuming from these bytes, and the offset to push from."""
        self._lib.ota_delta_init(self.state, self.counters, len(self.counters), self._facts)
        patch_off = self._ffi.new("uint32_t *", 0xFFFF_FFFF)
        # memory of exactly this length, for the address sanitizer
        memory = self._ffi.new("uint8_t[]", len(saved)) if saved else self._ffi.NULL
        if saved:
            self._ffi.buffer(memory)[:] = saved
        status = OtaStatus(self._lib.ota_delta_resume(self.state, memory, len(saved), patch_off))
        return status, int(patch_off[0])

    def order_of(self, offset: int) -> int:
        """How many target bytes are written before this one (docs/spec/patch.md section 3)."""
        if self.header.kind is not PatchKind.IMAGE:
            return offset
        ext_start = self.target_len - TAIL_SIZE
        if offset >= ext_start:
            return offset
        if offset < self.reloc_start:
            return offset + ext_start - self.reloc_start
        at, table_len = offset - self.reloc_start, ext_start - self.reloc_start
        blocks = -(-self.reloc_start // _BLOCK_SIZE)
        head_len = min((2 + 2 * blocks + 3) // 4 * 4, table_len)
        return at - head_len if at >= head_len else table_len - head_len + at

    def position_of(self, offset: int) -> int | None:
        """Place of a target byte in the body; None for the relocation table."""
        ext_start = self.target_len - TAIL_SIZE
        if self.header.kind is not PatchKind.IMAGE or offset < self.reloc_start:
            return offset
        return None if offset < ext_start else offset - (ext_start - self.reloc_start)

    def _saved(self, state: Any) -> bytes:
        length = int(self._lib.ota_delta_saved_len(state))
        memory = self._ffi.new("uint8_t[]", length)
        self._lib.ota_delta_save(state, memory)
        return bytes(self._ffi.buffer(memory))

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
        assert header.target.len == self.target_len
        assert header.base.len == (0 if self.header.is_full_image else len(self.base))
        assert bytes(header.target_check) == self.header.target_check
        return OtaStatus.OK

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
        assert self.header.kind is not PatchKind.IMAGE or off % 4 == length % 4 == 0
        self.written[off : off + length] = self._ffi.buffer(raw, length)[:]
        self.pieces.append((off, length))
        return OtaStatus.OK

    def _checkpoint(self, state: Any, patch_off: int) -> OtaStatus:
        position = int(state.kept.position) - int(state.out_len)
        self.checkpoints.append(Checkpoint(self._saved(state), patch_off, position))
        return OtaStatus.OK
