"""`chiral versions`: the versions of a name, or the names that have versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.dht_text import moment_text
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_columns, print_json, size_text
from chiral.errors import NotFoundError, UsageError

_PAGE = 1000


@click.command("versions")
@click.argument("name", required=False)
@click.option("--add", "cid", metavar="CID", help="Make CID, held here, the latest version of NAME.")
@click.option("--restore", "restored", metavar="N", type=click.IntRange(min=1), help="Make version N the latest again.")
@click.option(
    "--remove", "removed", metavar="N", type=click.IntRange(min=1), help="Forget version N; its content stays."
)
@json_option
@client_command
def command(
    client: Client, name: str | None, cid: str | None, restored: int | None, removed: int | None, as_json: bool
) -> None:
    """List the versions of NAME, the oldest first; without NAME the names that have versions.

    'chiral add --as NAME FILE' adds a version. For 'get', 'view', 'diff' and others NAME is the latest, NAME@N the Nth.
    """
    if sum(option is not None for option in (cid, restored, removed)) > 1:
        raise UsageError("--add, --restore and --remove are given one at a time")
    if name is None:
        if (cid, restored, removed) != (None, None, None):
            raise UsageError("of which name?", hint="give NAME")
        _show_names(sorted(_names(client), key=lambda item: str(item["name"])), as_json)
    elif cid is not None:
        _show([client.call("POST", "/versions", body={"name": name, "cid": cid})], as_json)
    elif restored is not None:
        _show([client.call("POST", "/versions/restore", body={"name": name, "number": restored})], as_json)
    elif removed is not None:
        _show([client.call("DELETE", "/versions", query={"name": name, "number": removed})], as_json)
    else:
        found = list(_versions(client, name))
        if not found:
            raise NotFoundError(f"{name!r} has no versions", hint="'chiral versions' lists the names that have")
        _show(found, as_json)


def _names(client: Client) -> Iterator[Any]:
    after: str | None = ""
    while after is not None:
        page = client.call("GET", "/versions/names", query={"after": after, "limit": _PAGE})
        yield from page["items"]
        after = page["next"]


def _versions(client: Client, name: str) -> Iterator[Any]:
    after: int | None = 0
    while after is not None:
        page = client.call("GET", "/versions", query={"name": name, "after": after, "limit": _PAGE})
        yield from page["items"]
        after = page["next"]


def _show_names(names: list[Any], as_json: bool) -> None:
    if as_json:
        for item in names:
            print_json(item)
    else:
        print_columns([(f"{item['name']}@{item['latest']}",) for item in names])


def _show(versions: list[Any], as_json: bool) -> None:
    if as_json:
        for version in versions:
            print_json(version)
    else:
        print_columns([_row(version) for version in versions])


def _row(version: Any) -> tuple[str, ...]:
    held = "" if version["held"] else "not held here"
    size = size_text(version["size"])
    return f"{version['name']}@{version['number']}", version["cid"], size, moment_text(version["added_at"]), held
