"""`chiral view`: a file's metadata laid out for reading, with a check of every block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.contents import content_cid
from chiral.cli.dht_text import moment_text
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json, printable, seconds_text, size_text
from chiral.errors import IntegrityError

_CHECK_S = 3600.0
"""Hashing what is held takes a second a gigabyte, and the disk may be slow."""
_HEAD, _TAIL = 12, 8


@click.command("view")
@click.argument("cid")
@click.option("--full", is_flag=True, help="Show CIDs in full length.")
@json_option
@client_command
def command(client: Client, cid: str, full: bool, as_json: bool) -> int:
    """Show what is known of CID, held here, and hash each of its blocks again. Exit code 4 unless all are whole."""
    root = content_cid(client, cid)
    seen = client.call("GET", f"/catalogue/{root}/view", timeout_s=_CHECK_S)
    if as_json:
        print_json(seen)
    else:
        rows = list(_rows(seen, full))
        width = max(len(title) for title, _ in rows)
        for title, text in rows:
            click.echo(f"{title:<{width}}  {printable(text)}".rstrip())
    return 0 if seen["state"] == "whole" else IntegrityError.exit_code


def shortened(cid: str) -> str:
    """A CID's beginning and end."""
    return cid if len(cid) <= _HEAD + _TAIL + 1 else f"{cid[:_HEAD]}…{cid[-_TAIL:]}"


def _rows(seen: Any, full: bool) -> Iterator[tuple[str, str]]:
    file = seen["file"]
    shown = str if full else shortened
    yield "name", file["name"]
    for name in file["other_names"]:
        yield "also called", name
    yield "kind", file["kind"] + (f", {file['mime']}" if file["mime"] else "")
    yield "size", f"{size_text(file['size'])} ({file['size']:,} bytes)"
    yield "chiral root" if file["cid"] != file["dag_cid"] else "root", shown(file["cid"])
    if file["dag_cid"] not in (None, file["cid"]):
        yield "dag root", shown(file["dag_cid"])
    yield "created", moment_text(file["created_at"])
    yield "added", moment_text(file["added_at"])
    yield "expires", moment_text(file["expires_at"])
    if file["expires_at"] is not None:
        yield "kept for", seconds_text(max(0, file["expires_at"] - file["added_at"])) + " from being added"
    yield "tags", ", ".join(file["tags"]) or "-"
    yield "chunks", _chunks(file, seen)
    for cid in seen["first_chunks"]:
        yield "", shown(cid)
    yield "integrity", integrity_text(seen)
    for state in ("damaged", "missing"):
        for cid in seen[f"{state}_cids"]:
            yield f"  {state}", shown(cid)


def _chunks(file: Any, seen: Any) -> str:
    told = [f"{file['chunks']:,}"]
    if seen["chunk_bytes"] is not None and file["chunks"] > 1:
        told.append(f"the first of {size_text(seen['chunk_bytes'])}")
    if seen["last_chunk_bytes"] is not None:
        told.append(f"the last of {size_text(seen['last_chunk_bytes'])}")
    return ", ".join(told)


def integrity_text(seen: Any) -> str:
    """The state of a viewed file's blocks, in words."""
    counted = f"{seen['blocks']:,} blocks, {size_text(seen['stored_bytes'])}"
    if seen["state"] == "whole":
        return f"whole: {counted}, each hashed again"
    faults = [f"{state} {seen[state]:,}" for state in ("damaged", "missing") if seen[state]]
    if not seen["manifest_sound"]:
        faults.insert(0, "damaged: the list of chunks itself")
    return f"{', '.join(faults)} of {counted}"
