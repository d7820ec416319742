# SPDX-License-Identifier: Apache-2.0
"""What all tables share: one MetaData, names for constraints, and columns for enums and times."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Protocol, Self, TypeVar

from sqlalchemy import BigInteger, Dialect, Enum, Integer, MetaData, Text
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Columns that end in `_ms` are Unix times in milliseconds, 64 bits wide, as is all that a device says in 32."""

RowNumber = BigInteger().with_variant(Integer(), "sqlite")
"""The primary key of a table that grows with every report. SQLite numbers rows only where it says INTEGER."""


def status_type(statuses: type[StrEnum], name: str) -> Enum:
    """The column type of a status: its text, held to the enum's values by the database too."""
    return Enum(
        statuses,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=20,
        values_callable=lambda members: [member.value for member in members],
    )


class Document(Protocol):
    """What a column may hold as a text of its own."""

    def to_text(self) -> str: ...

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Of what `to_text` made."""


D = TypeVar("D", bound=Document)


class DocumentType(TypeDecorator[D]):
    """A column that holds documents of one kind, which do not change: the same text is parsed once."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[D]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: D | None, _dialect: Dialect) -> str | None:
        return None if value is None else value.to_text()

    def process_result_value(self, value: str | None, _dialect: Dialect) -> D | None:
        return None if value is None else _parsed(self.kind, value)


@lru_cache(maxsize=4096)
def _parsed(kind: type[D], text: str) -> D:
    return kind.from_text(text)
