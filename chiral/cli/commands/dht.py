"""`chiral dht`: its commands."""

from __future__ import annotations

import click

from chiral.cli.lazy import LazyGroup

_AT = "chiral.cli.commands.dht_"
COMMANDS = {
    "providers": (_AT + "providers", "Find who provides a CID."),
    "provide": (_AT + "provide", "Announce that this node holds a CID."),
    "closest": (_AT + "closest", "Find the peers closest to a CID or peer id."),
    "get": (_AT + "get", "Get the value under a key."),
    "put": (_AT + "put", "Put a value under a key."),
    "stats": (_AT + "stats", "Show the routing table's figures."),
}


@click.group("dht", cls=LazyGroup, commands_at=COMMANDS)
def command() -> None:
    """Find and announce content in the DHT."""
