"""`chiral pin ls`: what is pinned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.names import take_name
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_columns, print_json


@click.command("ls")
@click.argument("cid", required=False, callback=take_name)
@click.option("--type", "kind", type=click.Choice(["direct", "recursive", "all"]), default="all", help="Only these.")
@json_option
@client_command
def command(client: Client, cid: str | None, kind: str, as_json: bool) -> None:
    """List pins: CID, type, time and name; of CID alone where one is given."""
    pins = [pin for pin in _pins(client, cid, kind) if kind in ("all", pin["kind"])]
    if as_json:
        for pin in pins:
            print_json(pin)
    else:
        print_columns([(pin["cid"], pin["kind"], _time(pin["created_at"]), pin["name"]) for pin in pins])


def _pins(client: Client, cid: str | None, kind: str) -> Iterator[Any]:
    if cid is not None:
        yield from client.call("GET", f"/pins/{cid}")["items"]
        return
    after: str | None = ""
    while after is not None:
        query = {"after": after, "limit": 1000, "kind": None if kind == "all" else kind}
        page = client.call("GET", "/pins", query=query)
        yield from page["items"]
        after = page["next"]


def _time(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s).astimezone().isoformat(" ", "seconds")
