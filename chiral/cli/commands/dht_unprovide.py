"""`chiral dht unprovide`: announces a CID no longer."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.names import cid_argument
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json


@click.command("unprovide")
@cid_argument
@json_option
@client_command
def command(client: Client, cid: str, as_json: bool) -> None:
    """Announce CID no longer. Records that other peers keep of it expire there by themselves."""
    result = client.call("DELETE", f"/dht/provide/{cid}")
    if as_json:
        print_json(result)
