# SPDX-License-Identifier: Apache-2.0
# What muster.delta uses of the compiled module; its C declarations come from the real headers (native/build.py).

from cffi import FFI

class _Lib:
    OTA_DELTA_PROFILE_4K: int

    def ota_delta_header_parse(self, untrusted: bytes, length: int, out: FFI.CData, /) -> int: ...
    def muster_delta_encode(
        self,
        header: FFI.CData,
        base: FFI.CData,
        target: FFI.CData,
        out: FFI.CData,
        out_size: int,
        out_len: FFI.CData,
        /,
    ) -> int: ...
    def muster_delta_apply(
        self,
        base: FFI.CData,
        base_len: int,
        patch: FFI.CData,
        patch_len: int,
        piece_len: int,
        target: FFI.CData,
        target_size: int,
        target_len: FFI.CData,
        /,
    ) -> int: ...

ffi: FFI
lib: _Lib
