"""`chiral rm`: forgets files."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.names import take_names
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json, printable


@click.command("rm")
@click.argument("cids", metavar="CID...", nargs=-1, required=True, callback=take_names)
@json_option
@client_command
def command(client: Client, cids: tuple[str, ...], as_json: bool) -> None:
    """Forget files and the blocks that no other file here is made of.

    What is pinned is not forgotten. Where directories or pinned DAGs are here too, blocks go with the next 'chiral gc'.
    """
    for cid in cids:
        removed = client.call("DELETE", f"/files/{cid}")
        if as_json:
            print_json(removed)
        else:
            click.echo(f"{removed['cid']}  {printable(removed['name'])}")
