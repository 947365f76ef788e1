"""`chiral delta make`: adds the delta from one file to another."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import note, print_json, size_text

_MAKE_S = 300.0


@click.command("make")
@click.argument("a")
@click.argument("b")
@timeout_option
@json_option
@client_command
def command(client: Client, a: str, b: str, timeout_s: float, as_json: bool) -> None:
    """Add the delta that leads from A to B, both held here and of at most 64 MiB, and print its CID.

    A and B are CIDs, or NAME and NAME@N of something that has versions. The delta is a file like any other: who has A
    and gets it can rebuild B with 'chiral delta apply'.
    """
    body = {"base": a, "target": b, "timeout_s": timeout_s}
    made = client.call("POST", "/deltas", body=body, timeout_s=timeout_s + _MAKE_S)
    if as_json:
        print_json(made)
        return
    click.echo(made["cid"])
    note(f"{size_text(made['size'])} for {size_text(made['target_size'])}")
