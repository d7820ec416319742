# SPDX-License-Identifier: Apache-2.0
"""Which server the commands talk to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from muster import token_store
from muster.client import ServerClient
from muster.errors import FileFault, ValueOutOfRange

DEFAULT_URL = "http://127.0.0.1:8000"


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --server and --token-file."""
    token_file = click.option(
        "--token-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with the access token. [default: $MUSTER_TOKEN, else that of `muster login`]",
    )
    url = click.option(
        "--server", "url", envvar="MUSTER_SERVER", default=DEFAULT_URL, show_default=True, help="The server's address."
    )
    return url(token_file(command))


def product_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --product."""
    return click.option("--product", type=int, help="Product id. [default: the server's only product]")(command)


def open_client(url: str, token_file: Path | None) -> ServerClient:
    """The client of a server.

    Raises:
        ValueOutOfRange: no token was given.
        FileFault: the token file cannot be read.
    """
    try:
        token = token_file.read_text() if token_file is not None else os.environ.get("MUSTER_TOKEN", "")
    except OSError as error:
        raise FileFault(f"cannot read {token_file}: {error.strerror}") from error
    token = token.strip()
    if not token and token_file is None:
        token = token_store.load(url) or ""
    if not token:
        raise ValueOutOfRange("no access token: sign in with `muster login`, or set MUSTER_TOKEN")
    if not token.isascii():
        raise ValueOutOfRange("an access token has 40 hexadecimal digits")
    return ServerClient(url, token)


def organization_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --org."""
    return click.option("--org", help="The organization's slug. [default: the account's only one]")(command)


def organization_slug(client: ServerClient, org: str | None) -> str:
    """The organization that was named, or the account's only one.

    Raises:
        ValueOutOfRange: there are several, or none.
    """
    if org is not None:
        return org
    found = [str(item.get("slug")) for item in client.organizations()]
    if len(found) == 1:
        return found[0]
    raise ValueOutOfRange(f"name an organization with --org (yours: {', '.join(found) or 'none'})")


def product_id(client: ServerClient, product: int | None) -> int:
    """The product that was named, or the server's only one.

    Raises:
        ValueOutOfRange: there are several, or none.
    """
    if product is not None:
        return product
    found = [item.get("id") for item in client.products()]
    if len(found) == 1 and isinstance(found[0], int):
        return found[0]
    known = ", ".join(str(number) for number in found) or "none"
    raise ValueOutOfRange(f"name a product with --product (the server has: {known})")
