# SPDX-License-Identifier: Apache-2.0
"""Products: a folder with a product.toml and C sources (docs/howto/build.md)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from muster import layout
from muster.errors import ConfigError, FileFault
from muster.platforms import U16_MAX, U32_MAX
from muster.toml_table import TomlTable

RESERVED_NAMES = frozenset({"platforms", "common", "third_party"})
"""Folders of the build that a product's own would collide with."""

WATCHDOG_MAX_S = 22
"""The longest period of the independent watchdog at its fastest clock: 256 * 4,096 / 47 kHz (RM0033 section 17)."""


@dataclass(frozen=True, slots=True)
class Product:
    """What one version of a product is built from.

    Attributes:
        version: product version; `sources` are those of this version.
        hardware_lowest, hardware_highest: board revisions that it runs on.
        platforms: names, in the order of the file.
        sources: C files, from the product's folder.
        earlier: for each earlier version, which source another file takes the place of.
    """

    name: str
    product_id: int
    version: int
    security_counter: int
    hardware_lowest: int
    hardware_highest: int
    platforms: tuple[str, ...]
    sources: tuple[str, ...]
    trial_deadline_s: int
    watchdog_s: int
    earlier: tuple[tuple[int, tuple[tuple[str, str], ...]], ...]

    @classmethod
    def from_toml(cls, text: str, source: str, known_platforms: Collection[str]) -> Product:
        """Parses a product.toml.

        Raises:
            ConfigError: it is not valid.
        """
        top = TomlTable.from_text(source, text)
        version = top.integer("version", 1, layout.ID_MAX)
        sources = _sources(top)
        product = cls(
            name=_name(top),
            product_id=top.integer("id", 1, layout.ID_MAX),
            version=version,
            security_counter=top.integer("security_counter", 0, U32_MAX, default=0),
            platforms=_platforms(top, known_platforms),
            sources=sources,
            trial_deadline_s=top.integer("trial_deadline_s", 10, 86_400, default=600),
            watchdog_s=top.integer("watchdog_s", 1, WATCHDOG_MAX_S, default=20),
            earlier=_earlier(top, version, sources),
            **_hardware(top),
        )
        top.finish()
        return product

    def at_version(self, version: int) -> Product:
        """The product as it is built for another version: an earlier one with its own sources, any other with these.

        Raises:
            ConfigError: no version has that number.
        """
        if not 1 <= version <= layout.ID_MAX:
            raise ConfigError(f"a version is from 1 to {layout.ID_MAX}, not {version}")
        replaced = dict(dict(self.earlier).get(version, ()))
        return replace(self, version=version, sources=tuple(replaced.get(source, source) for source in self.sources))


def load_product(folder: Path, known_platforms: Collection[str]) -> Product:
    """Reads the product.toml of a folder and looks for the sources that it names.

    Raises:
        FileFault: there is no product.toml, or it cannot be read.
        ConfigError: it is not valid, or names a source that does not exist.
    """
    path = folder / "product.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileFault(f"cannot read {path}: {error.strerror}") from error
    product = Product.from_toml(text, str(path), known_platforms)
    replacing = [new for _, replaced in product.earlier for _, new in replaced]
    for source in [*product.sources, *replacing]:
        if not (folder / source).is_file():
            raise ConfigError(f"{path}: there is no source {source}")
    return product


def _name(top: TomlTable) -> str:
    name = top.text("name")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
        raise top.error("name", f"must be 1 to 31 of a-z, 0-9 and _, a letter first, not {name}")
    if name in RESERVED_NAMES:
        raise top.error("name", f"{name} is a folder of the build")
    return name


def _hardware(top: TomlTable) -> dict[str, int]:
    revisions = top.integers("hardware_revisions", 0, U16_MAX)
    if len(revisions) != 2 or revisions[0] > revisions[1]:
        raise top.error("hardware_revisions", f"must be lowest and highest, not {revisions}")
    return {"hardware_lowest": revisions[0], "hardware_highest": revisions[1]}


def _platforms(top: TomlTable, known: Collection[str]) -> tuple[str, ...]:
    names = top.texts("platforms", default=list(known))
    for name in names:
        if name not in known:
            raise top.error("platforms", f"there is no platform {name} (known: {', '.join(known)})")
    return tuple(names)


def _sources(top: TomlTable) -> tuple[str, ...]:
    sources = top.texts("sources")
    for source in sources:
        _check_source(top, "sources", source)
    return tuple(sources)


def _check_source(table: TomlTable, key: str, source: str) -> None:
    path = PurePosixPath(source)
    if path.is_absolute() or ".." in path.parts or path.suffix != ".c" or "\\" in source:
        raise table.error(key, f"{source} is not a C file inside the product's folder")


def _earlier(
    top: TomlTable, current: int, sources: tuple[str, ...]
) -> tuple[tuple[int, tuple[tuple[str, str], ...]], ...]:
    found: dict[int, tuple[tuple[str, str], ...]] = {}
    for table in top.tables("earlier"):
        version = table.integer("version", 1, layout.ID_MAX)
        if version >= current:
            raise table.error("version", f"must be below the product's own, {current}, not {version}")
        if version in found:
            raise table.error("version", f"{version} is listed twice")
        replaced = table.text_map("replace")
        for old, new in replaced.items():
            if old not in sources:
                raise table.error("replace", f"{old} is not one of the sources")
            _check_source(table, "replace", new)
        table.finish()
        found[version] = tuple(replaced.items())
    return tuple(found.items())
