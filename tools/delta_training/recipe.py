# SPDX-License-Identifier: Apache-2.0
"""What `corpus.toml` says: where sources come from, how libraries are compiled, and which images make a pair."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("small", "minor", "major", "rebuilt")
"""What lies between the two images of a pair: a small fix, a minor or major release, or only another version text."""


class RecipeError(Exception):
    """`corpus.toml` asks for something that is not there, or the sources do not fit it."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A source archive of a public registry.

    Attributes:
        registry: "pypi" (a source distribution) or "debian" (the upstream archive of a source package).
        sha256: of the archive, in hexadecimal.
    """

    name: str
    registry: str
    package: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a library: a folder inside an archive."""

    archive: str
    folder: str
    sources: tuple[str, ...] | None
    exclude: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Library:
    """How the sources of one library are compiled.

    Attributes:
        sources: glob patterns inside the release's folder.
        exclude: names or patterns that are left out.
        include: include folders inside the release's folder.
        files: configuration headers that the library expects from its user: name to text.
        templates: headers that its own build would make: name to (template inside the release's folder, values
            for the words between @ signs; a word that is not named becomes 1).
    """

    name: str
    sources: tuple[str, ...]
    exclude: tuple[str, ...]
    include: tuple[str, ...]
    flags: tuple[str, ...]
    files: Mapping[str, str]
    templates: Mapping[str, tuple[str, Mapping[str, str]]]
    releases: Mapping[str, Release]


@dataclass(frozen=True, slots=True)
class Edit:
    """A known small change: `find` occurs exactly once in the file and becomes `replace`."""

    library: str
    file: str
    find: str
    replace: str


@dataclass(frozen=True, slots=True)
class Image:
    """Everything that decides the bytes of one image.

    Attributes:
        libraries: (library, version) in link order.
        base: the load address.
        keep: share of the libraries' functions that the image asks for, in percent.
        flags: for the compiler, after the usual ones: the last optimisation level and processor rule.
        muster_format: linked for slot A and slot B, with relocation table, manifest and a signature; else plain bytes.
        interleaved: constants lie beside the code of their object file instead of after all code.
    """

    libraries: tuple[tuple[str, str], ...]
    base: int
    keep: int
    flags: tuple[str, ...]
    library_flags: tuple[tuple[str, tuple[str, ...]], ...]
    edits: tuple[Edit, ...]
    version: str
    interleaved: bool
    plain_libc: bool
    muster_format: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images, one the successor of the other."""

    name: str
    family: str
    kind: str
    old: Image
    new: Image


@dataclass(frozen=True, slots=True)
class HexPair:
    """Two releases of a PyPI package that embeds a firmware as Intel hex."""

    name: str
    family: str
    kind: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """The whole recipe.

    Attributes:
        held_out: families that tables are never trained on.
    """

    archives: Mapping[str, Archive]
    libraries: Mapping[str, Library]
    pairs: tuple[Pair | HexPair, ...]
    held_out: frozenset[str]


def load_corpus(path: Path) -> Corpus:
    """Reads `corpus.toml`.

    Raises:
        RecipeError: a name in it leads nowhere.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    archives = {name: _archive(name, entry) for name, entry in table["archive"].items()}
    libraries = {name: _library(name, entry) for name, entry in table["library"].items()}
    families: dict[str, Any] = table["family"]
    pairs: list[Pair | HexPair] = []
    for entry in table["pair"]:
        family, kind = entry["family"], entry["kind"]
        if family not in families or kind not in KINDS:
            raise RecipeError(f"pair {entry['name']}: no such family or kind")
        if "hex" in entry:
            old, new = entry["hex"]
            pairs.append(HexPair(entry["name"], family, kind, old, new))
        else:
            base = dict(families[family], **{key: entry[key] for key in _IMAGE_KEYS if key in entry})
            old_image = _image(base, entry.get("old", {}), entry.get("old_version", "1.4.2"))
            new_image = _image(base, entry.get("new", {}), entry.get("new_version", "1.4.2"))
            pairs.append(Pair(entry["name"], family, kind, old_image, new_image))
    for pair in pairs:
        _check(pair, archives, libraries)
    if len({pair.name for pair in pairs}) != len(pairs):
        raise RecipeError("two pairs have the same name")
    held_out = frozenset(name for name, entry in families.items() if entry.get("held_out", False))
    return Corpus(archives, libraries, tuple(pairs), held_out)


def fingerprint(*parts: object) -> str:
    """A short name for values: equal values, equal names."""
    text = json.dumps(parts, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def matches_any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _check(pair: Pair | HexPair, archives: Mapping[str, Archive], libraries: Mapping[str, Library]) -> None:
    """Raises RecipeError when the pair names what is not listed."""
    if isinstance(pair, HexPair):
        needed = {pair.old, pair.new}
    else:
        used = set(pair.old.libraries) | set(pair.new.libraries)
        unknown = [f"{name} {version}" for name, version in used if version not in _releases(libraries, name)]
        if unknown:
            raise RecipeError(f"pair {pair.name}: there is no {', '.join(sorted(unknown))}")
        needed = {libraries[name].releases[version].archive for name, version in used}
    if not needed <= archives.keys():
        raise RecipeError(f"pair {pair.name}: an archive is not listed: {', '.join(sorted(needed - archives.keys()))}")


def _releases(libraries: Mapping[str, Library], name: str) -> Mapping[str, Release]:
    return libraries[name].releases if name in libraries else {}


_IMAGE_KEYS = ("libraries", "base", "keep", "flags", "interleaved", "plain_libc", "muster_format")


def _archive(name: str, entry: Mapping[str, str]) -> Archive:
    registry = "pypi" if "pypi" in entry else "debian"
    return Archive(name, registry, entry[registry], entry["version"], entry["sha256"])


def _library(name: str, entry: Mapping[str, Any]) -> Library:
    releases = {
        version: Release(
            release["archive"],
            release.get("folder", "."),
            tuple(release["sources"]) if "sources" in release else None,
            tuple(release.get("exclude", ())),
        )
        for version, release in entry["releases"].items()
    }
    return Library(
        name,
        tuple(entry["sources"]),
        tuple(entry.get("exclude", ())),
        tuple(entry.get("include", (".",))),
        tuple(entry.get("flags", ())),
        entry.get("files", {}),
        {name: (template["from"], template.get("values", {})) for name, template in entry.get("templates", {}).items()},
        releases,
    )


def _image(base: Mapping[str, Any], change: Mapping[str, Any], version: str) -> Image:
    libraries = change.get("libraries", base["libraries"])
    versions: Mapping[str, str] = change.get("versions", {})
    chosen = []
    for item in libraries:
        library, _, release = item.partition("@")
        chosen.append((library, versions.get(library, release)))
    return Image(
        libraries=tuple(chosen),
        base=change.get("base", base["base"]),
        keep=change.get("keep", base.get("keep", 92)),
        flags=(*base.get("flags", ()), *change.get("flags", ())),
        library_flags=tuple((name, tuple(flags)) for name, flags in sorted(change.get("library_flags", {}).items())),
        edits=tuple(Edit(*edit) for edit in change.get("edits", ())),
        version=version,
        interleaved=bool(change.get("interleaved", base.get("interleaved", False))),
        plain_libc=bool(base.get("plain_libc", False)),
        muster_format=bool(base.get("muster_format", False)),
    )
