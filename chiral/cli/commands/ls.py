"""`chiral ls`: what is held here, what is in a directory, or the blocks of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.places import content_at
from chiral.cli.printing import print_columns, print_json, size_text
from chiral.errors import NotFoundError

_PAGE = 1000
_MARKS = {"directory": "/", "symlink": "@"}


@click.command("ls")
@click.argument("cid", metavar="[CID[/PATH]]", required=False)
@timeout_option
@json_option
@client_command
def command(client: Client, cid: str | None, timeout_s: float, as_json: bool) -> None:
    """List what is held here, or what is in directory CID, or the blocks that file CID, held here, is made of.

    A directory is fetched if it is not here. Behind a name '/' marks a directory and '@' a symbolic link.
    """
    if cid is None:
        _print(_files(client), as_json)
        return
    place = content_at(client, cid)
    chunks = None if place.path else _chunks(client, place.cid)
    if chunks is not None:
        _print(chunks, as_json)
        return
    entries: list[Any] = []
    take = print_json if as_json else entries.append
    path = f"/files/{place.cid}/entries"
    query = {"path": place.path or None, "timeout_s": timeout_s}
    client.lines("GET", path, query=query, timeout_s=timeout_s, item=take)
    print_columns([(item["cid"], size_text(item["size"]), _marked(item, item["type"])) for item in entries])


def _print(items: Iterator[Any], as_json: bool) -> None:
    if as_json:
        for item in items:
            print_json(item)
        return
    rows = list(items)
    if rows and "name" in rows[0]:
        print_columns([(item["cid"], size_text(item["size"]), _marked(item, item["kind"])) for item in rows])
    else:
        print_columns([(item["cid"], str(item["size"])) for item in rows])


def _files(client: Client) -> Iterator[Any]:
    after: str | None = ""
    while after is not None:
        page = client.call("GET", "/files", query={"after": after, "limit": _PAGE})
        yield from page["items"]
        after = page["next"]


def _chunks(client: Client, cid: str) -> Iterator[Any] | None:
    """The blocks of a file held here; None if there is none of that CID, or it has no Chiral root."""
    try:
        first = client.call("GET", f"/files/{cid}/chunks", query={"start": 0, "limit": _PAGE})
    except NotFoundError:
        return None
    return _pages(client, cid, first)


def _pages(client: Client, cid: str, page: Any) -> Iterator[Any]:
    yield from page["items"]
    while page["next"] is not None:
        page = client.call("GET", f"/files/{cid}/chunks", query={"start": page["next"], "limit": _PAGE})
        yield from page["items"]


def _marked(item: Any, kind: str) -> str:
    return str(item["name"]) + _MARKS.get(kind, "")
