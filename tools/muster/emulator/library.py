# SPDX-License-Identifier: Apache-2.0
"""The native part: compiled on this computer at first use, kept in the user's cache, loaded with cffi.

Unicorn is GPL-2, so nothing linked with it is ever shipped: sources go out, the machine code stays here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from muster.emulator.errors import EmulatorUnavailable

_NATIVE = Path(__file__).parent / "native"
_FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra")


def _unicorn_folder() -> tuple[Path, str]:
    """Folder and version of the installed unicorn package."""
    spec = importlib.util.find_spec("unicorn")
    if spec is None or spec.origin is None:
        raise EmulatorUnavailable("the emulator needs Unicorn: pip install 'muster[emulator]'")
    return Path(spec.origin).parent, importlib.metadata.version("unicorn")


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "muster" / "emulator"


def _key(sources: list[Path], version: str) -> str:
    """SHA-256 over everything that decides the machine code."""
    digest = hashlib.sha256("\0".join((version, platform.machine(), *_FLAGS)).encode())
    for path in sources:
        digest.update(f"\0{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _compile(target: Path, sources: list[Path], unicorn: Path, unicorn_library: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise EmulatorUnavailable("the emulator needs a C compiler: apt-get install gcc libc6-dev")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / target.name
        inputs = [f"-I{unicorn / 'include'}", *map(str, sources), str(unicorn_library)]
        command = [compiler, *_FLAGS, *inputs, "-o", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise EmulatorUnavailable(
                "the C compiler could not build the emulator (apt-get install gcc libc6-dev): " + done.stderr.strip()
            )
        # Two processes may build at once: each renames a whole file, and the files are equal.
        os.replace(made, target)


def build() -> Path:
    """Compile the native part unless the cache has it, and say where it is.

    Raises EmulatorUnavailable when Unicorn, a C compiler or the C headers are missing.
    """
    unicorn, version = _unicorn_folder()
    sources = sorted(_NATIVE.glob("*.[ch]"))
    target = _cache_folder() / _key(sources, version) / "libmuster_emulator.so"
    if not target.exists():
        _compile(target, [path for path in sources if path.suffix == ".c"], unicorn, _unicorn_library(unicorn))
    return target


def _unicorn_library(unicorn: Path) -> Path:
    found = sorted((unicorn / "lib").glob("libunicorn.so*"))
    if not found:
        raise EmulatorUnavailable(f"no libunicorn.so below {unicorn}: reinstall the unicorn package")
    return found[0]


@cache
def load() -> tuple[Any, Any]:
    """The cffi instance and the loaded library (functions as in native/api.h).

    Raises EmulatorUnavailable as build() does.
    """
    try:
        from cffi import FFI
    except ImportError as missing:
        raise EmulatorUnavailable("the emulator needs cffi: pip install 'muster[emulator]'") from missing
    path = build()
    ffi = FFI()
    header = (_NATIVE / "api.h").read_text(encoding="utf-8")
    ffi.cdef("\n".join(line for line in header.splitlines() if not line.startswith("#")))
    # Loaded by its full path first: the loader then finds it by its soname, and our library needs no rpath.
    ffi.dlopen(str(_unicorn_library(_unicorn_folder()[0])), os.RTLD_NOW | os.RTLD_GLOBAL)
    return ffi, ffi.dlopen(str(path), os.RTLD_NOW)
