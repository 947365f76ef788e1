"""`chiral expire`: says how long something is kept."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.contents import content_cid
from chiral.cli.dht_text import moment_text
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json
from chiral.cli.quantities import Lifetime, lifetime_of


@click.command("expire")
@click.argument("cid")
@click.argument("lifetime", type=Lifetime())
@json_option
@client_command
def command(client: Client, cid: str, lifetime: float, as_json: bool) -> None:
    """Have what CID names removed after LIFETIME, such as 12h or 30d from now, or 'never'."""
    root = content_cid(client, cid)
    entry = client.call("PUT", f"/catalogue/{root}/lifetime", body={"lifetime_s": lifetime_of(lifetime)})
    if as_json:
        print_json(entry)
    else:
        click.echo(moment_text(entry["expires_at"]))
