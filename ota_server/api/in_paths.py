# SPDX-License-Identifier: Apache-2.0
"""Numbers in paths: `{rollout:row}` and `{release:version}`. A path with a larger one is none of this server's."""

from __future__ import annotations

from starlette.convertors import IntegerConvertor, register_url_convertor


class _RowConvertor(IntegerConvertor):
    """A row's number, up to `numbers.ROW_MAX`."""

    regex = "[0-9]{1,9}"


class _VersionConvertor(IntegerConvertor):
    """A release's version, and some numbers above `numbers.VERSION_MAX`, which no release has."""

    regex = "[0-9]{1,5}"


def register() -> None:
    """Lets routes name them. A route is made after that."""
    register_url_convertor("row", _RowConvertor())
    register_url_convertor("version", _VersionConvertor())
