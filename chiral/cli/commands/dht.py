"""`chiral dht`: its commands."""

from __future__ import annotations

import click

from chiral.cli.lazy import LazyGroup

_AT = "chiral.cli.commands.dht_"
COMMANDS = {
    "providers": (_AT + "providers", "Find who provides a CID."),
    "provide": (_AT + "provide", "Announce that this node holds a CID."),
    "unprovide": (_AT + "unprovide", "Announce a CID no longer."),
    "find-peer": (_AT + "find_peer", "Find the addresses of a peer."),
    "closest": (_AT + "closest", "Find the peers closest to a CID or peer id."),
    "get": (_AT + "get", "Get the value under a key."),
    "put": (_AT + "put", "Put a value under a key."),
    "bootstrap": (_AT + "bootstrap", "Join the network again."),
    "table": (_AT + "table", "List the peers of the routing table."),
    "stats": (_AT + "stats", "Show the DHT's figures and filled buckets."),
}


@click.group("dht", cls=LazyGroup, commands_at=COMMANDS)
def command() -> None:
    """Find and announce content in the DHT."""
