"""`chiral config`: its commands."""

from __future__ import annotations

import click

from chiral.cli.lazy import LazyGroup

_AT = "chiral.cli.commands."


@click.group(
    "config", cls=LazyGroup, commands_at={"show": (_AT + "config_show", "Show every setting and where it comes from.")}
)
def command() -> None:
    """Show the configuration."""
