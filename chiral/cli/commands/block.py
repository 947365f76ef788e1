"""`chiral block`: its commands."""

from __future__ import annotations

import click

from chiral.cli.lazy import LazyGroup

_AT = "chiral.cli.commands.block_"
COMMANDS = {
    "get": (_AT + "get", "Write a block's bytes to stdout or a file."),
    "put": (_AT + "put", "Store bytes as one block and print its CID."),
    "stat": (_AT + "stat", "Show the size of a block held here."),
}


@click.group("block", cls=LazyGroup, commands_at=COMMANDS)
def command() -> None:
    """Get, put and look at single blocks."""
