"""`chiral block stat`: a block's size."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.names import cid_argument
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_columns, print_json


@click.command("stat")
@cid_argument
@json_option
@client_command
def command(client: Client, cid: str, as_json: bool) -> None:
    """Show the size and codec of block CID, if it is held here."""
    stat = client.call("GET", f"/blocks/{cid}/stat")
    if as_json:
        print_json(stat)
    else:
        print_columns([(name, str(value)) for name, value in stat.items()])
