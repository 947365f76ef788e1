"""`chiral search`: finds what is held here by its name, type, tags, size and time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_columns, print_json, size_text
from chiral.cli.quantities import Moment, Size

_PAGE = 1000


@click.command("search")
@click.argument("text", nargs=-1)
@click.option("--type", "mime", metavar="MIME", help="Of this type: image/png, or image for all of them.")
@click.option("--kind", type=click.Choice(("file", "directory", "dag")), help="Of this kind.")
@click.option("--tag", "tags", metavar="T", multiple=True, help="With this tag; may be given again.")
@click.option("--larger", metavar="N", type=Size(), help="Of at least this size, such as 10MiB.")
@click.option("--smaller", metavar="N", type=Size(), help="Of at most this size.")
@click.option("--since", metavar="DATE", type=Moment(), help="Added then or later: 2026-01-31, or 7d for a week ago.")
@click.option("--before", metavar="DATE", type=Moment(), help="Added before then.")
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many."
)
@json_option
@client_command
def command(client: Client, text: tuple[str, ...], limit: int, as_json: bool, **wanted: Any) -> None:
    """List the files held here whose names have all words of TEXT in them, those added last first.

    Everything that is given must hold; letters are the same large and small.
    """
    query = {"tag" if name == "tags" else name: value for name, value in wanted.items() if value not in (None, ())}
    items = _found(client, {"text": " ".join(text), **query}, limit)
    if as_json:
        for item in items:
            print_json(item)
    else:
        print_columns([(item["cid"], size_text(item["size"]), item["mime"] or "-", _name(item)) for item in items])


def _found(client: Client, query: dict[str, object], limit: int) -> Iterator[Any]:
    after: str | None = ""
    while after is not None and limit > 0:
        page = client.call("GET", "/catalogue", query={**query, "after": after, "limit": min(limit, _PAGE)})
        yield from page["items"]
        limit -= len(page["items"])
        after = page["next"]


def _name(item: Any) -> str:
    tags = "".join(f" +{tag}" for tag in item["tags"])
    return f"{item['name']}{'/' if item['kind'] == 'directory' else ''}{tags}"
