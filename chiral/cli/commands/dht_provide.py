"""`chiral dht provide`: announces a CID."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.names import cid_argument
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json

_ANNOUNCE_S = 120.0


@click.command("provide")
@cid_argument
@json_option
@client_command
def command(client: Client, cid: str, as_json: bool) -> None:
    """Announce that this node holds CID; prints for each key how many peers took the record."""
    for item in client.call("POST", "/dht/provide", body={"cid": cid}, timeout_s=_ANNOUNCE_S)["items"]:
        if as_json:
            print_json(item)
        else:
            click.echo(f"{item['key']}  {item['stored']} of {item['asked']} peers")
