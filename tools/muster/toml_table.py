# SPDX-License-Identifier: Apache-2.0
"""A TOML table that is read key by key: a missing, wrong or unknown key is one error that names file and key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Self

from muster.errors import ConfigError


class TomlTable:
    """One table of a TOML file.

    Every reader below takes its key out; `finish` then finds what nobody asked for. A default of None means that the
    key must be there.

    Raises:
        ConfigError: from every reader, when the value is missing or not what it must be.
    """

    def __init__(self, where: str, values: Mapping[str, object]) -> None:
        self._where = where
        self._values = dict(values)

    @classmethod
    def from_text(cls, where: str, text: str) -> Self:
        """Parses a whole file; `where` is its name in errors."""
        try:
            return cls(where, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{where}: {error}") from error

    def error(self, key: str, what: str) -> ConfigError:
        """The error that says what is wrong with a key."""
        return ConfigError(f"{self._where}: {key}: {what}")

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from `low` to `high`."""
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(key, f"must be a whole number, not {value!r}")
        if not low <= value <= high:
            raise self.error(key, f"must be from {low} to {high}, not {value}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self._take(key, default)
        if not isinstance(value, str) or not value:
            raise self.error(key, f"must be a text, not {value!r}")
        return value

    def boolean(self, key: str, default: bool | None = None) -> bool:
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {value!r}")
        return value

    def integers(self, key: str, low: int, high: int) -> list[int]:
        """A list of whole numbers, each from `low` to `high`, at least one."""
        found: list[int] = []
        for value in self._list(key):
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise self.error(key, f"must hold whole numbers from {low} to {high}, not {value!r}")
            found.append(value)
        return found

    def texts(self, key: str, default: list[str] | None = None) -> list[str]:
        """A list of texts, at least one, no two equal."""
        found: list[str] = []
        for value in self._list(key, default):
            if not isinstance(value, str) or not value:
                raise self.error(key, f"must hold texts, not {value!r}")
            if value in found:
                raise self.error(key, f"names {value} twice")
            found.append(value)
        return found

    def table(self, key: str) -> TomlTable:
        """A table inside this one."""
        value = self._take(key, None)
        if not isinstance(value, dict):
            raise self.error(key, "must be a table")
        return TomlTable(f"{self._where}: {key}", value)

    def tables(self, key: str) -> list[TomlTable]:
        """An array of tables, empty when the key is missing."""
        value = self._values.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.error(key, "must be an array of tables")
        return [TomlTable(f"{self._where}: {key} {number}", one) for number, one in enumerate(value, start=1)]

    def text_map(self, key: str) -> dict[str, str]:
        """A table of texts."""
        value = self._take(key, None)
        if not isinstance(value, dict) or not all(isinstance(one, str) and one for one in value.values()):
            raise self.error(key, "must be a table of texts")
        return value

    def finish(self) -> None:
        """Raises ConfigError when a key is left that nobody has read."""
        for key in self._values:
            raise self.error(key, "is not a key that is known here")

    def _list(self, key: str, default: list[str] | None = None) -> list[object]:
        value = self._take(key, default)
        if not isinstance(value, list) or not value:
            raise self.error(key, "must be a list that is not empty")
        return value

    def _take(self, key: str, default: object) -> object:
        value = self._values.pop(key, default)
        if value is None:
            raise self.error(key, "is missing")
        return value
