"""`chiral tag`: gives files tags and takes them away."""

from __future__ import annotations

from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.contents import content_cid
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json, printable
from chiral.errors import UsageError


@click.command("tag", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("cid")
@click.argument("changes", metavar="[+TAG|-TAG]...", nargs=-1, type=click.UNPROCESSED)
@json_option
@client_command
def command(client: Client, cid: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Give what CID names the tags written +TAG, take from it those written -TAG, and print the tags it has."""
    body = _body(changes)
    root = content_cid(client, cid)
    entry = client.call("POST", f"/catalogue/{root}/tags", body=body) if changes else _shown(client, root)
    if as_json:
        print_json(entry)
    else:
        for tag in entry["tags"]:
            click.echo(printable(tag))


def _shown(client: Client, root: str) -> Any:
    return client.call("GET", f"/catalogue/{root}")


def _body(changes: tuple[str, ...]) -> dict[str, list[str]]:
    for change in changes:
        if change[:1] not in ("+", "-") or len(change) == 1:
            raise UsageError(f"{change[:80]!r} is neither +TAG nor -TAG")
    return {
        "add": [change[1:] for change in changes if change[0] == "+"],
        "remove": [change[1:] for change in changes if change[0] == "-"],
    }
