"""`chiral ls`: the files held here, or the blocks of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.names import take_name
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_columns, print_json, size_text

_PAGE = 1000


@click.command("ls")
@click.argument("cid", required=False, callback=take_name)
@json_option
@client_command
def command(client: Client, cid: str | None, as_json: bool) -> None:
    """List the files held here, or the blocks that file CID is made of."""
    items = _files(client) if cid is None else _chunks(client, cid)
    if as_json:
        for item in items:
            print_json(item)
    elif cid is None:
        print_columns([(item["cid"], size_text(item["size"]), item["name"]) for item in items])
    else:
        print_columns([(item["cid"], str(item["size"])) for item in items])


def _files(client: Client) -> Iterator[Any]:
    after: str | None = ""
    while after is not None:
        page = client.call("GET", "/files", query={"after": after, "limit": _PAGE})
        yield from page["items"]
        after = page["next"]


def _chunks(client: Client, cid: str) -> Iterator[Any]:
    start: int | None = 0
    while start is not None:
        page = client.call("GET", f"/files/{cid}/chunks", query={"start": start, "limit": _PAGE})
        yield from page["items"]
        start = page["next"]
