"""`chiral pin`: its commands."""

from __future__ import annotations

import click

from chiral.cli.lazy import LazyGroup

_AT = "chiral.cli.commands.pin_"
COMMANDS = {
    "add": (_AT + "add", "Keep content, fetching it first if it is not here."),
    "rm": (_AT + "rm", "Keep content no longer."),
    "ls": (_AT + "ls", "List what is pinned."),
}


@click.group("pin", cls=LazyGroup, commands_at=COMMANDS)
def command() -> None:
    """Keep content whatever else is removed."""
