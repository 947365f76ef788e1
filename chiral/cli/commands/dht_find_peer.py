"""`chiral dht find-peer`: the addresses of a peer."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.dht_text import show_peer
from chiral.cli.names import take_name
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import print_json


@click.command("find-peer")
@click.argument("peer_id", metavar="PEER", callback=take_name)
@timeout_option
@json_option
@client_command
def command(client: Client, peer_id: str, timeout_s: float, as_json: bool) -> None:
    """Print PEER, a peer id, and the addresses it is reached at. Ends with exit code 3 if nobody knows it."""
    peer = client.call("GET", f"/dht/peers/{peer_id}", query={"timeout_s": timeout_s}, timeout_s=timeout_s)
    if as_json:
        print_json(peer)
    else:
        show_peer(peer)
