"""`chiral peers`: the live connections."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_columns, print_json, seconds_text


@click.command("peers")
@json_option
@client_command
def command(client: Client, as_json: bool) -> None:
    """List the connections: peer, direction, address, age, latency, agent."""
    items = client.call("GET", "/peers")["items"]
    if as_json:
        for item in items:
            print_json(item)
        return
    print_columns(
        [
            (
                item["peer_id"],
                item["direction"],
                item["addr"] or "-",
                seconds_text(item["age_s"]),
                "-" if item["latency_s"] is None else f"{item['latency_s'] * 1000:.1f} ms",
                item["agent"] or "-",
            )
            for item in items
        ]
    )
