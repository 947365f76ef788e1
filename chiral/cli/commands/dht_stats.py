"""`chiral dht stats`: the DHT's figures."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.commands.stats import show_figures
from chiral.cli.options import client_command, json_option


@click.command("stats")
@json_option
@client_command
def command(client: Client, as_json: bool) -> None:
    """Show the figures of the routing table and of the records kept for the swarm."""
    show_figures(client.call("GET", "/dht/stats"), as_json)
