# SPDX-License-Identifier: Apache-2.0
"""What all tables share: one MetaData, names for constraints, and columns for enums and times."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, Enum, Integer, MetaData

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
