"""`chiral id`: who the node is."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json


@click.command("id")
@json_option
@client_command
def command(client: Client, as_json: bool) -> None:
    """Show the node's peer id and the addresses that others dial."""
    identity = client.call("GET", "/id")
    if as_json:
        print_json(identity)
        return
    click.echo(identity["peer_id"])
    for addr in identity["addrs"]:
        click.echo(f"  {addr}")
