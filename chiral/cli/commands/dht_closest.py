"""`chiral dht closest`: the peers closest to a key."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.dht_text import show_peer
from chiral.cli.names import take_name
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import print_json


@click.command("closest")
@click.argument("key", callback=take_name)
@timeout_option
@json_option
@client_command
def command(client: Client, key: str, timeout_s: float, as_json: bool) -> None:
    """Print the live peers closest to KEY, a CID or a peer id, nearest first, with their XOR distance."""
    found = client.call("GET", f"/dht/closest/{key}", query={"timeout_s": timeout_s}, timeout_s=timeout_s)
    for peer in found["items"]:
        if as_json:
            print_json(peer)
        else:
            show_peer(peer)
