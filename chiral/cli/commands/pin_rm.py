"""`chiral pin rm`: keeps content no longer."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.names import take_names
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json, printable


@click.command("rm")
@click.argument("cids", metavar="CID...", nargs=-1, required=True, callback=take_names)
@click.option("--name", metavar="N", help="The pin of this name, where there are several.")
@click.option("--all", "every", is_flag=True, help="All pins of the CID.")
@json_option
@client_command
def command(client: Client, cids: tuple[str, ...], name: str | None, every: bool, as_json: bool) -> None:
    """Remove pins. A file stays in the list of files; what nothing keeps then goes with the next 'chiral gc'."""
    for cid in cids:
        query = {"name": name, "every": "true" if every else None}
        for pin in client.call("DELETE", f"/pins/{cid}", query=query)["items"]:
            if as_json:
                print_json(pin)
            else:
                click.echo("  ".join(part for part in (pin["cid"], pin["kind"], printable(pin["name"])) if part))
