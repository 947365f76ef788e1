"""`chiral dht bootstrap`: joins the network again."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import note, print_json
from chiral.errors import PeerUnreachableError


@click.command("bootstrap")
@click.argument("addrs", metavar="[MADDR/p2p/ID]...", nargs=-1)
@timeout_option
@json_option
@client_command
def command(client: Client, addrs: tuple[str, ...], timeout_s: float, as_json: bool) -> None:
    """Join the network again, through the peers at the addresses given, else through those the node is configured with.

    Prints which of them are connected; ends with exit code 1 if none is.
    """
    body, query = {"peers": list(addrs)}, {"timeout_s": timeout_s}
    outcome = client.call("POST", "/dht/bootstrap", query=query, body=body, timeout_s=timeout_s)
    if as_json:
        print_json(outcome)
    else:
        for peer in outcome["connected"]:
            click.echo(peer["peer_id"])
        for peer in outcome["failed"]:
            note(f"{peer['peer_id']} cannot be used: {peer['reason']}")
    if not outcome["connected"]:
        raise PeerUnreachableError(
            "no bootstrap peer is connected", hint="give the address of a running node, which 'chiral id' prints there"
        )
