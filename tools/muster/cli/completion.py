# SPDX-License-Identifier: Apache-2.0
"""`muster completion`: the script that makes a shell complete commands, options and their values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_MUSTER_COMPLETE"
"""With it in the environment, `muster` answers a shell's question instead of running a command (click's protocol)."""


@click.command(epilog="Example: muster completion bash >> ~/.bashrc")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands in SHELL.

    bash: append it to ~/.bashrc. zsh: append it to ~/.zshrc, after compinit. fish: write it to
    ~/.config/fish/completions/muster.fish.
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(context.find_root().command, {}, "muster", VARIABLE).source())
