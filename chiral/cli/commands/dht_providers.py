"""`chiral dht providers`: who provides a CID."""

from __future__ import annotations

from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.names import cid_argument
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import print_json
from chiral.errors import NoProvidersError


@click.command("providers")
@cid_argument
@click.option("--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="Stop after so many.")
@timeout_option
@json_option
@client_command
def command(client: Client, cid: str, count: int, timeout_s: float, as_json: bool) -> None:
    """Print each provider of CID as it is found: its peer id and addresses."""

    def show(peer: Any) -> None:
        if as_json:
            print_json(peer)
        else:
            show_peer(peer)

    query = {"count": count, "timeout_s": timeout_s}
    end = client.lines("GET", f"/dht/providers/{cid}", query=query, timeout_s=timeout_s, item=show)
    if not end["count"]:
        raise NoProvidersError(
            f"no providers found for {cid}", hint="'chiral peers' shows whether this node is in a swarm"
        )


def show_peer(peer: Any) -> None:
    """A peer on a line, its addresses on lines under it."""
    click.echo(peer["peer_id"])
    for addr in peer["addrs"]:
        click.echo(f"  {addr}")
