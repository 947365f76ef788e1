"""`chiral block get`: a block's bytes."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.commands.cat import write_to_stdout
from chiral.cli.landing import Place, land
from chiral.cli.names import cid_argument
from chiral.cli.options import client_command, timeout_option
from chiral.errors import UsageError


@click.command("get")
@cid_argument
@click.option("-o", "--output", metavar="FILE", default="-", help="File to write (default stdout).")
@click.option("-f", "--force", is_flag=True, help="Replace FILE if it is there.")
@timeout_option
@client_command
def command(client: Client, cid: str, output: str, force: bool, timeout_s: float) -> None:
    """Write the bytes of block CID, verified, from here or from the swarm."""
    place = None if output == "-" else Place.of(output, overwrite=force)
    if place is not None and place.name is None:
        raise UsageError(f"{output} is a directory", hint="a block has no name of its own: name a file")
    with client.download(f"/blocks/{cid}", query={"timeout_s": timeout_s}, timeout_s=timeout_s) as download:
        if place is None:
            write_to_stdout(download)
        else:
            land(download, place, lambda done, total: None)
