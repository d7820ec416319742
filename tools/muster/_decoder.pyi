# SPDX-License-Identifier: Apache-2.0
# What muster.delta uses of the compiled module; its C declarations come from the real headers (native/build.py).

from cffi import FFI

class _Lib:
    def muster_delta_apply(
        self,
        base: FFI.CData,
        base_facts: FFI.CData,
        patch: FFI.CData,
        patch_len: int,
        piece_len: int,
        target: FFI.CData,
        target_size: int,
        target_len: FFI.CData,
        /,
    ) -> int: ...
    def muster_delta_trace(
        self,
        base: FFI.CData,
        base_facts: FFI.CData,
        patch: FFI.CData,
        patch_len: int,
        target: FFI.CData,
        target_size: int,
        trace: FFI.CData,
        /,
    ) -> int: ...
    def muster_delta_trace_free(self, trace: FFI.CData, /) -> None: ...

    MUSTER_DELTA_TRACE_BIT: int

ffi: FFI
lib: _Lib
