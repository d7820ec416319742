# SPDX-License-Identifier: Apache-2.0
"""C headers as cffi declarations, so that nothing is declared twice.

The headers go through the C preprocessor with empty system headers (cffi knows the fixed-width integers and bool by
itself); then goes what cffi cannot read: attributes, static assertions, and the bodies of inline functions.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

_SYSTEM_HEADERS = ("stdint.h", "stddef.h", "stdbool.h", "string.h", "stdlib.h")
_ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)")
_STATIC_ASSERT = re.compile(r"_Static_assert\s*\((?:[^()\"]|\((?:[^()]|\([^()]*\))*\)|\"[^\"]*\")*\)\s*;")
_INLINE = re.compile(r"static\s+inline\b[^{;]*\{")


def declarations(headers: Iterable[str], include_dirs: Sequence[Path], compiler: str = "cc") -> str:
    """What `headers` (as written behind #include) declare, as text for `FFI.cdef()`.

    `include_dirs` are searched in this order. Raises `subprocess.CalledProcessError` when the preprocessor fails.
    """
    source = "".join(f'#include "{header}"\n' for header in headers)
    with tempfile.TemporaryDirectory() as empty:
        for name in _SYSTEM_HEADERS:
            Path(empty, name).write_text("", encoding="ascii")
        includes = [f"-I{folder}" for folder in (empty, *include_dirs)]
        command = [compiler, "-E", "-P", "-std=c11", "-nostdinc", *includes, "-"]
        text = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    text = _ATTRIBUTE.sub("", text)
    text = _STATIC_ASSERT.sub("", text)
    return _without_inline_functions(text)


def _without_inline_functions(text: str) -> str:
    kept: list[str] = []
    position = 0
    while match := _INLINE.search(text, position):
        kept.append(text[position : match.start()])
        depth = 1
        position = match.end()
        while depth > 0:
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            position += 1
    kept.append(text[position:])
    return "".join(kept)
