"""`chiral pin add`: keeps content."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.names import take_names
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import note, print_json, printable


@click.command("add")
@click.argument("cids", metavar="CID...", nargs=-1, required=True, callback=take_names)
@click.option("--direct", is_flag=True, help="Keep the block alone, not what its links lead to.")
@click.option("--name", metavar="N", default="", help="A name for the pin; one CID may be pinned under several.")
@timeout_option
@json_option
@client_command
def command(client: Client, cids: tuple[str, ...], direct: bool, name: str, timeout_s: float, as_json: bool) -> None:
    """Keep CIDs and all that their links lead to; a file's root keeps the file.

    What is not here is fetched first. --timeout is the longest wait without progress.
    """
    for cid in cids:
        body = {"cid": cid, "kind": "direct" if direct else "recursive", "name": name, "timeout_s": timeout_s}
        pinned = client.lines("POST", "/pins", body=body, timeout_s=timeout_s)
        if as_json:
            print_json(pinned)
            continue
        click.echo("  ".join(part for part in (pinned["cid"], pinned["kind"], printable(pinned["name"])) if part))
        if not pinned["new"]:
            note("it was pinned so before")
