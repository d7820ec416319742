# SPDX-License-Identifier: Apache-2.0
"""Maps with integer keys as dataclasses whose fields may be missing: a table says how each is written and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from muster.errors import ValueOutOfRange
from muster.protocol import codec


def same(value: Any) -> Any:
    """A value that stands in the map as it is."""
    return value


def part(value: Any) -> object:
    """A value that has a form of its own."""
    return value.to_value()


def parts(value: Any) -> object:
    """Several of them."""
    return [item.to_value() for item in value]


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a map.

    Attributes:
        name: the dataclass's field.
        to_value, from_value: how it is written and how it is read; the dataclass checks what was read.
    """

    name: str
    to_value: Callable[[Any], object] = same
    from_value: Callable[[object], object] = same


Fields = Mapping[int, Field]
"""Key of the map -> field."""


def to_bytes(message: object, fields: Fields) -> bytes:
    """The map of what is there: a field that is None, empty or False is left out."""
    values: dict[int, object] = {}
    for key, field in fields.items():
        value = getattr(message, field.name)
        if value is not None and value != () and value is not False:
            values[key] = field.to_value(value)
    return codec.dumps(values)


def arguments_from(raw: bytes, name: str, fields: Fields) -> dict[str, Any]:
    """Arguments for the dataclass; keys that are not known are ignored.

    Raises:
        MessageFormatError: not a map in its one encoding.
        ValueOutOfRange: a value is nil, or not of its field's form.
    """
    arguments: dict[str, Any] = {}
    for key, value in codec.load_map(raw, name).items():
        field = fields.get(key)
        if field is None:
            continue
        if value is None:
            raise ValueOutOfRange(f"{field.name} is nil")
        arguments[field.name] = field.from_value(value)
    return arguments
