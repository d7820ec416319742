# SPDX-License-Identifier: Apache-2.0
"""The option of the server's commands that says where the database is."""

from __future__ import annotations

import click
from click.core import ParameterSource
from sqlalchemy.engine import URL

from muster.errors import ValueOutOfRange
from ota_server.storage.engine import parse_url

VARIABLE = "MUSTER_DATABASE"


def _read(context: click.Context, parameter: click.Parameter, value: str | None) -> URL | None:
    if value is None:
        return None
    try:
        url = parse_url(value)
    except ValueOutOfRange as error:
        raise click.BadParameter(str(error)) from error
    assert parameter.name is not None
    if url.password is not None and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE:
        raise click.BadParameter(
            f"arguments are seen by every user of the machine: put the URL into {VARIABLE}, or the password into "
            "~/.pgpass"
        )
    return url


database_option = click.option(
    "--database",
    "database_url",
    metavar="URL",
    envvar=VARIABLE,
    callback=_read,
    help=f"A PostgreSQL database: postgresql://user@host/name. [default: {VARIABLE}, else SQLite in the data folder]",
)
