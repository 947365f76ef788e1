"""`chiral dht put`: a value under a key."""

from __future__ import annotations

import sys

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json


@click.command("put")
@click.argument("key")
@click.argument("value")
@click.option(
    "--quorum", default="one", show_default=True, help="How many must take it: one, majority, all or a number."
)
@json_option
@client_command
def command(client: Client, key: str, value: str, quorum: str, as_json: bool) -> None:
    """Store VALUE ('-' reads stdin), under 16 KiB, under KEY at the peers closest to it; prints how many took it.

    The node puts it again before it expires. Fails if fewer than the quorum took it.
    """
    data = sys.stdin.buffer.read() if value == "-" else value.encode("utf-8", "surrogateescape")
    result = client.upload(f"/dht/values/{key}", [data], query={"quorum": quorum})
    if as_json:
        print_json(result)
    else:
        click.echo(f"{result['stored']} of {result['asked']} peers")
