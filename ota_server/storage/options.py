# SPDX-License-Identifier: Apache-2.0
"""The options of the server's commands that say where the database is, and the blobs."""

from __future__ import annotations

import os

import click
from click.core import ParameterSource
from sqlalchemy.engine import URL

from muster.errors import ValueOutOfRange
from ota_server.storage.engine import parse_url
from ota_server.storage.s3 import Bucket

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


BUCKET_VARIABLE, ENDPOINT_VARIABLE = "MUSTER_BUCKET", "AWS_ENDPOINT_URL"


def _read_bucket(context: click.Context, parameter: click.Parameter, value: str | None) -> Bucket | None:
    del context, parameter
    if value is None:
        return None
    try:
        return Bucket.from_url(value, os.environ.get(ENDPOINT_VARIABLE))
    except ValueOutOfRange as error:
        raise click.BadParameter(str(error)) from error


bucket_option = click.option(
    "--bucket",
    metavar="URL",
    envvar=BUCKET_VARIABLE,
    callback=_read_bucket,
    help="A bucket for images and patches: s3://bucket/prefix; keys, region and endpoint as in AWS_ACCESS_KEY_ID, "
    f"AWS_SECRET_ACCESS_KEY, AWS_REGION, {ENDPOINT_VARIABLE}. [default: {BUCKET_VARIABLE}, else the data folder]",
)
