"""`chiral dht get`: the value under a key."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.commands.cat import write_to_stdout
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import print_json


@click.command("get")
@click.argument("key")
@click.option(
    "--quorum", default="3", show_default=True, help="Stop after so many answers: one, majority, all or a number."
)
@timeout_option
@json_option
@client_command
def command(client: Client, key: str, quorum: str, timeout_s: float, as_json: bool) -> None:
    """Write the value under KEY, such as metadata:bafk… or /pk/12D3…, to stdout.

    With --json: all valid values, best first, how many peers had one, and what a metadata record says.
    """
    query = {"quorum": quorum, "timeout_s": timeout_s}
    if as_json:
        print_json(client.call("GET", f"/dht/records/{key}", query=query, timeout_s=timeout_s))
        return
    with client.download(f"/dht/values/{key}", query=query, timeout_s=timeout_s) as download:
        write_to_stdout(download)
