"""`chiral dht providers`: who provides a CID."""

from __future__ import annotations

from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.dht_text import moment_text, show_peer
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
    """Print each provider of CID as it is found: its peer id, its XOR distance, who told of it, and its addresses.

    Ends with exit code 3 if there is none.
    """

    def show(provider: Any) -> None:
        if as_json:
            print_json(provider)
        else:
            show_peer(provider, source_text(provider))

    query = {"count": count, "timeout_s": timeout_s}
    end = client.lines("GET", f"/dht/providers/{cid}", query=query, timeout_s=timeout_s, item=show)
    if not end["count"]:
        raise NoProvidersError(
            f"no providers found for {cid}", hint="'chiral peers' shows whether this node is in a swarm"
        )


def source_text(provider: Any) -> str:
    """Where what is known of a provider comes from."""
    if provider["told_by"] is not None:
        return "told by itself" if provider["told_by"] == provider["peer_id"] else f"told by {provider['told_by']}"
    return f"recorded here {moment_text(provider['received_at'])}"
