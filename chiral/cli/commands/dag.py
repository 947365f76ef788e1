"""`chiral dag`: its commands."""

from __future__ import annotations

import click

from chiral.cli.lazy import LazyGroup

_AT = "chiral.cli.commands.dag_"
COMMANDS = {
    "export": (_AT + "export", "Write a DAG to an archive (CAR)."),
    "import": (_AT + "import", "Take in an archive (CAR)."),
    "stat": (_AT + "stat", "Show what a DAG comes to."),
    "get": (_AT + "get", "Show a value of a DAG."),
}


@click.group("dag", cls=LazyGroup, commands_at=COMMANDS)
def command() -> None:
    """Export and import archives, and look into DAGs."""
