"""`chiral stats`: the node's figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_columns, print_json


@click.command("stats")
@json_option
@client_command
def command(client: Client, as_json: bool) -> None:
    """Show what the node holds, who is connected and what has moved."""
    show_figures(client.call("GET", "/stats"), as_json)


def show_figures(figures: dict[str, Any], as_json: bool) -> None:
    """Figures as JSON, or a line each with nested names joined by dots; long rows of numbers only in JSON."""
    if as_json:
        print_json(figures)
    else:
        print_columns(list(_flat(figures)))


def _flat(figures: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        elif isinstance(value, list):
            nested = {str(index): item for index, item in enumerate(value) if isinstance(item, dict)}
            yield from _flat(nested, f"{above}{name}.")
        else:
            yield f"{above}{name}", f"{value:.1f}" if isinstance(value, float) else str(value)
