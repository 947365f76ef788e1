"""`chiral delta apply`: rebuilds a file from an older one and a delta."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import print_json, printable

_APPLY_S = 300.0


@click.command("apply")
@click.argument("base")
@click.argument("delta")
@timeout_option
@json_option
@client_command
def command(client: Client, base: str, delta: str, timeout_s: float, as_json: bool) -> None:
    """Rebuild the file that DELTA leads to from BASE, hold it against its CID, keep it here and print CID and name.

    BASE and DELTA are CIDs, or NAME and NAME@N of something that has versions; what is not here is fetched.
    """
    body = {"base": base, "delta": delta, "timeout_s": timeout_s}
    entry = client.call("POST", "/deltas/apply", body=body, timeout_s=2 * timeout_s + _APPLY_S)
    if as_json:
        print_json(entry)
    else:
        click.echo(f"{entry['cid']}  {printable(entry['name'])}")
