"""`chiral delta`: its commands."""

from __future__ import annotations

import click

from chiral.cli.lazy import LazyGroup

_AT = "chiral.cli.commands.delta_"
COMMANDS = {
    "make": (_AT + "make", "Add the delta from one file to another as a file of its own."),
    "apply": (_AT + "apply", "Rebuild a file from an older one and a delta."),
}


@click.group("delta", cls=LazyGroup, commands_at=COMMANDS)
def command() -> None:
    """Make and apply deltas between files."""
