"""`chiral shutdown`: ends the running node."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command


@click.command("shutdown")
@client_command
def command(client: Client) -> None:
    """End the running node cleanly."""
    client.call("POST", "/shutdown")
