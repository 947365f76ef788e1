"""`chiral dht get`: the value under a key."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.commands.cat import write_to_stdout
from chiral.cli.options import client_command, timeout_option


@click.command("get")
@click.argument("key")
@timeout_option
@client_command
def command(client: Client, key: str, timeout_s: float) -> None:
    """Write the value under KEY, such as metadata:bafk…, to stdout."""
    with client.download(f"/dht/values/{key}", query={"timeout_s": timeout_s}, timeout_s=timeout_s) as download:
        write_to_stdout(download)
