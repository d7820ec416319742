# SPDX-License-Identifier: Apache-2.0
"""`muster keys`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from muster.cli.files import InputFile, OutputFile, open_keystore, read_bytes, write_bytes
from muster.cli.output import json_option, print_facts
from muster.errors import FileFault
from muster.inspection import Facts, keyset_facts
from muster.keystore import KEY_NAMES, key_path, new_key
from muster.signing.keys import PublicKey
from muster.signing.keyset import KeySet, KeySetContent, RootKeys, sorted_keys
from muster.signing.signer import signer_from_uri
from muster.user_folders import keys_folder


@click.group(epilog="Example: muster keys list")
def keys() -> None:
    """List, show and make keys and key sets.

    Development keys lie in $MUSTER_KEYS, or in muster/keys below the user's data folder, and are made on first use.
    """


@keys.command("list", epilog="Example: muster keys list --json")
@json_option
def list_keys(as_json: bool) -> None:
    """List the development keys."""
    store = open_keystore()
    rows: Facts = {name: store.keys[name].public_key.key_id.hex() for name in KEY_NAMES}
    print_facts({"folder": str(store.folder), "keys": rows}, as_json)


@keys.command(epilog="Example: muster keys show development")
@click.argument("key")
@json_option
def show(key: str, as_json: bool) -> None:
    """Show the public half of a key.

    KEY is the name of a development key, a signer URI, the file of a public key, or 64 hexadecimal digits.
    """
    public = _public_key(key)
    print_facts({"key": key, "key_id": public.key_id.hex(), "public_key": public.raw.hex()}, as_json)


@keys.command(epilog="Example: muster keys new release-2.pem")
@click.argument("file", type=OutputFile)
@json_option
def new(file: Path, as_json: bool) -> None:
    """Make a private key file.

    It is not encrypted and only its owner may read it. An existing file is never overwritten.
    """
    public = new_key(file, os.urandom).public_key
    print_facts({"file": str(file), "key_id": public.key_id.hex(), "public_key": public.raw.hex()}, as_json)


@keys.command(epilog="Example: muster keys keyset -o keyset.cbor")
@click.option("-o", "--output", type=OutputFile, required=True, help="Where to write the key set.")
@click.option(
    "--version", "version", type=click.IntRange(1, 0xFFFF_FFFF), default=2, show_default=True, help="Its version."
)
@click.option(
    "--after", type=InputFile, help="The current key set: its version plus one, and every key not given here."
)
@click.option("--release", multiple=True, metavar="KEY", help="A release key; may be repeated.")
@click.option("--threshold", type=click.IntRange(1, 8), help="How many release keys must sign an image.")
@click.option("--online", multiple=True, metavar="KEY", help="An online key; may be repeated.")
@click.option("--development", multiple=True, metavar="KEY", help="A development key; may be repeated.")
@click.option("--root", multiple=True, metavar="KEY", help="A root that signs the next key set; may be repeated.")
@click.option("--root-threshold", type=click.IntRange(1, 3), help="How many roots must sign the next key set.")
@click.option("--sign", "uris", multiple=True, metavar="URI", help="A current root's signing key; may be repeated.")
@json_option
def keyset(
    output: Path,
    version: int,
    after: Path | None,
    release: tuple[str, ...],
    threshold: int | None,
    online: tuple[str, ...],
    development: tuple[str, ...],
    root: tuple[str, ...],
    root_threshold: int | None,
    uris: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make a key set.

    Without options but -o: the development key set, version 1. A KEY is written as for `muster keys show`.
    """
    if not any((after, release, threshold, online, development, root, root_threshold, uris)):
        made = open_keystore().keyset()
    else:
        current = KeySet.from_bytes(read_bytes(after)) if after is not None else open_keystore().keyset()
        before = current.content
        content = KeySetContent(
            version=before.version + 1 if after is not None else version,
            release_threshold=threshold if threshold is not None else before.release_threshold,
            release_keys=_public_keys(release) or before.release_keys,
            online_keys=_public_keys(online) or before.online_keys,
            development_keys=_public_keys(development) or before.development_keys,
            roots=RootKeys(
                root_threshold if root_threshold is not None else before.roots.threshold,
                _public_keys(root) or before.roots.keys,
            ),
        )
        made = KeySet.signed(content, [signer_from_uri(uri) for uri in uris])
    write_bytes(output, made.to_bytes())
    print_facts({"file": str(output), **keyset_facts(made)}, as_json)


def _public_keys(texts: tuple[str, ...]) -> tuple[PublicKey, ...]:
    return sorted_keys(_public_key(text) for text in texts)


def _public_key(text: str) -> PublicKey:
    if text in KEY_NAMES:
        return open_keystore().signer(text).public_key
    path = Path(text)
    if path.is_file():
        raw = read_bytes(path)
        if b"PRIVATE KEY" not in raw:
            return PublicKey.from_text(raw.decode("ascii", errors="replace"))
    elif len(text) == 64:
        return PublicKey.from_text(text)
    elif ":" not in text:
        raise FileFault(f"no key {text}: not in {key_path(keys_folder(), '*')}, and no such file")
    return signer_from_uri(text).public_key
