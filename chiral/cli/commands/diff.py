"""`chiral diff`: what two contents have in common, by chunks, and of small texts the lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.contents import content_cid
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_columns, print_json, printable, size_text

MAX_TEXT_BYTES = 256 << 10
"""Comparing lines takes time with the square of their number."""
MAX_LINES = 10_000
_COMPARE_S = 300.0


@click.command("diff")
@click.argument("a")
@click.argument("b")
@click.option("--chunks", "list_chunks", is_flag=True, help="List the chunks that only one of them has.")
@json_option
@client_command
def command(client: Client, a: str, b: str, list_chunks: bool, as_json: bool) -> None:
    """Tell how B differs from A: how many chunks they share, and for small texts the lines that differ.

    A and B are CIDs, or NAME and NAME@N of something that has versions; both are held here.
    """
    roots = content_cid(client, a), content_cid(client, b)
    found = client.call("GET", "/difference", query={"a": roots[0], "b": roots[1]}, timeout_s=_COMPARE_S)
    if as_json:
        print_json(found)
        return
    print_columns(_summary(found))
    if list_chunks:
        print_columns([*_lone("-", found["only_a"]), *_lone("+", found["only_b"])])
    for line in _lines(client, found, a, b):
        click.echo(line)


def _summary(found: Any) -> list[tuple[str, str]]:
    a, b = found["a"], found["b"]
    return [
        ("a", f"{a['name']}, {size_text(a['size'])}, {a['cid']}"),
        ("b", f"{b['name']}, {size_text(b['size'])}, {b['cid']}"),
        ("shared", f"{found['shared_chunks']} chunks"),
        ("only a", f"{found['only_a_chunks']} chunks"),
        ("only b", f"{found['only_b_chunks']} chunks, {size_text(found['new_bytes'])} new"),
    ]


def _lone(sign: str, chunks: list[Any]) -> list[tuple[str, str, str]]:
    return [(sign, chunk["cid"], "-" if chunk["size"] is None else str(chunk["size"])) for chunk in chunks]


def _lines(client: Client, found: Any, a: str, b: str) -> Iterator[str]:
    """The unified difference of two small texts that are not the same; nothing of anything else."""
    sides = found["a"], found["b"]
    if sides[0]["cid"] == sides[1]["cid"] or any(
        side["kind"] != "file" or side["size"] > MAX_TEXT_BYTES for side in sides
    ):
        return
    texts = [_text(client, side["cid"]) for side in sides]
    if texts[0] is None or texts[1] is None:
        return
    older, newer = (text.splitlines() for text in texts if text is not None)
    if len(older) + len(newer) > MAX_LINES:
        return
    for line in difflib.unified_diff(older, newer, a, b, lineterm=""):
        yield printable(line.replace("\t", "    "))


def _text(client: Client, cid: str) -> str | None:
    with client.download(f"/files/{cid}/content") as download:
        data = b"".join(download.parts)
    try:
        return None if b"\x00" in data else data.decode()
    except UnicodeDecodeError:
        return None
