"""`chiral dag get`: a value of a DAG."""

from __future__ import annotations

import sys

import click

from chiral.cli.client import Client, Download
from chiral.cli.commands.cat import write_to_stdout
from chiral.cli.names import plain_name
from chiral.cli.options import client_command, timeout_option

_PREFIX = "/ipfs/"


@click.command("get")
@click.argument("place", metavar="CID[/PATH]")
@click.option(
    "--output-codec",
    type=click.Choice(["dag-json", "dag-cbor", "dag-pb", "raw"]),
    default="dag-json",
    show_default=True,
    help="How to write the value.",
)
@click.option("--offline", is_flag=True, help="Ask no peers.")
@timeout_option
@client_command
def command(client: Client, place: str, output_codec: str, offline: bool, timeout_s: float) -> None:
    """Write the value at PATH in the DAG below CID to stdout.

    A step of PATH is a key or a place in a list, in a dag-pb node also the name of a link; links are followed.
    """
    cid, _, path = place.strip().removeprefix(_PREFIX).partition("/")
    at = f"/dag/get/{plain_name(cid)}" + (f"/{path}" if path.strip("/") else "")
    query = {"output_codec": output_codec, "offline": offline, "timeout_s": timeout_s}
    with client.download(at, query=query, timeout_s=timeout_s) as download:
        write_to_stdout(Download("", download.size, download.parts))
    if output_codec == "dag-json" and sys.stdout.isatty():
        click.echo()
