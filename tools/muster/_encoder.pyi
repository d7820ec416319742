# SPDX-License-Identifier: Apache-2.0
# What muster.delta uses of the compiled module; its C declarations come from the real headers (native/build.py).

from cffi import FFI

class _Lib:
    def muster_delta_encode(self, pair: FFI.CData, out: FFI.CData, out_size: int, out_len: FFI.CData, /) -> int: ...

ffi: FFI
lib: _Lib
