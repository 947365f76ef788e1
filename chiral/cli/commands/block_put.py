"""`chiral block put`: bytes as one block."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chiral.api.local_path import unreadable
from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json


@click.command("put")
@click.argument("file", type=click.Path())
@click.option(
    "--codec", default="raw", show_default=True, help="The codec in the CID: raw, dag-pb, dag-cbor, dag-json."
)
@json_option
@client_command
def command(client: Client, file: str, codec: str, as_json: bool) -> None:
    """Store the bytes of FILE ('-' reads stdin), at most 2 MiB, as one block and print its CID."""
    put = client.upload("/blocks", [_read(file)], query={"codec": codec})
    if as_json:
        print_json(put)
    else:
        click.echo(put["cid"])


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise unreadable(Path(file), error) from error
