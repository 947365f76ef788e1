"""`chiral connect`: a connection to a peer."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json

_DIAL_S = 60.0


@click.command("connect")
@click.argument("addr", metavar="MADDR")
@json_option
@client_command
def command(client: Client, addr: str, as_json: bool) -> None:
    """Connect to the peer at MADDR, such as /ip4/192.0.2.1/tcp/4101/p2p/12D3KooW…."""
    peer = client.call("POST", "/peers", body={"addr": addr}, timeout_s=_DIAL_S)
    if as_json:
        print_json(peer)
    else:
        click.echo(peer["peer_id"])
