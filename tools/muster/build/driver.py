# SPDX-License-Identifier: Apache-2.0
"""Runs SCons on the source tree and says what came out."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from muster.build.kept_layout import SLACK_PERCENT, KeptLayout, LayoutReport
from muster.build.selection import BUILD_FOLDER, Selection
from muster.build.size import rows_from_json
from muster.build.size_row import SizeRow
from muster.errors import EnvironmentFault, FileFault, InputError
from muster.image.image import Image

STDERR = 2
"""The file number: SCons writes there itself, whatever Python's own stderr is just now."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build.

    Attributes:
        product: folder with a product.toml; None means every example product.
        platforms: None means all that the product names.
        version: None means that of product.toml.
        keys: folder of the development keys.
        jobs: how many compilers run at the same time.
        keep_layout: outputs of the last release (`<folder>/<platform>/<product>.map`), or its map: sections stay where
            they were. None links freely.
        layout_slack: what that may cost, in per cent of flash and of RAM.
        layout_reserve: gaps for later releases that keep this one's layout, in per cent of flash.
    """

    keys: Path
    product: Path | None = None
    platforms: tuple[str, ...] | None = None
    version: int | None = None
    jobs: int = 1
    verbose: bool = False
    keep_layout: Path | None = None
    layout_slack: float = SLACK_PERCENT
    layout_reserve: float = 0.0

    def arguments(self) -> dict[str, str]:
        """The arguments of `scons`."""
        found = {"KEYS": str(self.keys.resolve())}
        if self.product is not None:
            found["PRODUCT"] = str(self.product.resolve())
        if self.platforms is not None:
            found["PLATFORM"] = ",".join(self.platforms)
        if self.version is not None:
            found["VERSION"] = str(self.version)
        if self.verbose:
            found["VERBOSE"] = "1"
        if self.keep_layout is not None:
            found["KEEP_LAYOUT"] = str(self.keep_layout.resolve())
            found["LAYOUT_SLACK"] = f"{self.layout_slack:f}"
        if self.layout_reserve:
            found["LAYOUT_RESERVE"] = f"{self.layout_reserve:f}"
        return found


@dataclass(frozen=True, slots=True)
class Built:
    """What was built of one product for one platform.

    Attributes:
        folder: with bootloader.bin, bootloader.elf, and `<product>` with .bin, .elf, .hex, .map.
        size: of the image, in bytes.
        sha256: of the image file.
        identity: of the image, SHA-256 of its manifest.
        rows: uses and limits.
        layout: what keeping the layout of the last release came to; None where it was not asked for.
    """

    product: str
    product_id: int
    version: int
    platform: str
    folder: Path
    size: int
    sha256: bytes
    identity: bytes
    rows: tuple[SizeRow, ...]
    layout: LayoutReport | None = None

    @property
    def image_path(self) -> Path:
        return self.folder / f"{self.product}.bin"


def source_root() -> Path:
    """The root of the source tree that this library runs from.

    Raises:
        EnvironmentFault: it was installed without its sources.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "SConstruct").is_file():
        raise EnvironmentFault("the firmware's sources are not here: install muster from a checkout (pip install -e)")
    return root


def build(request: BuildRequest, root: Path) -> list[Built]:
    """Builds, with the progress on stderr, and reads the outputs back. Two builds of one tree wait for each other.

    Raises:
        ConfigError, FileFault: the request, a product or a platform is not valid.
        InputError: the build failed; SCons has said why on stderr.
    """
    # Asked for here too, so that a wrong request is one error and not a failed build.
    selection = Selection.from_arguments(root, root, request.arguments(), request.keys)
    command = [sys.executable, "-m", "SCons", "-Q", f"--jobs={request.jobs}"]
    command += [f"{name}={value}" for name, value in request.arguments().items()]
    environment = {**os.environ, "PYTHONPATH": str(root / "tools")}
    with _only_one_build(root):
        done = subprocess.run(command, cwd=root, env=environment, stdout=STDERR, check=False)
        if done.returncode != 0:
            raise InputError("the build failed; the reason is above")
        return read_outputs(selection, root)


def read_outputs(selection: Selection, root: Path) -> list[Built]:
    """What a build of `selection` has left.

    Raises:
        FileFault: an output is missing.
    """
    found = []
    for product, platform, folder in selection.folders(root):
        try:
            raw = (folder / f"{product.name}.bin").read_bytes()
            rows = rows_from_json((folder / "size.json").read_text(encoding="utf-8"))
            layout = _read_layout(folder) if selection.has_layout else None
        except OSError as error:
            raise FileFault(f"the build has left no {error.filename}") from error
        image = Image.from_bytes(raw)
        found.append(
            Built(
                product=product.name,
                product_id=product.facts.product_id,
                version=product.version,
                platform=platform,
                folder=folder,
                size=len(raw),
                sha256=hashlib.sha256(raw).digest(),
                identity=image.identity,
                rows=tuple(rows),
                layout=layout,
            )
        )
    return found


def _read_layout(folder: Path) -> LayoutReport:
    return KeptLayout.from_json((folder / "gen" / "layout.json").read_text(encoding="utf-8")).report


@contextmanager
def _only_one_build(root: Path) -> Iterator[None]:
    """Holds the lock of the build folder; it goes with the process."""
    folder = root / BUILD_FOLDER
    try:
        folder.mkdir(exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise FileFault(f"cannot use the build folder {folder}: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
