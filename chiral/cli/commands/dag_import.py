"""`chiral dag import`: an archive into the node."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import is_text, note, print_json, size_text
from chiral.cli.progress import progress_bar
from chiral.cli.upload_source import opened, parts
from chiral.errors import FileAccessError

STDIN = "-"
_PART_BYTES = 1 << 20
_ANSWER_S = 3600.0
"""How long the node may take to go through what was sent: it says nothing meanwhile."""


@click.command("import")
@click.argument("file", type=click.Path())
@click.option("--name", help="What a single root is called in the catalogue (default: FILE without .car).")
@click.option("--pin-roots/--no-pin-roots", default=True, show_default=True, help="Keep what the roots lead to.")
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
@json_option
@client_command
def command(client: Client, file: str, name: str | None, pin_roots: bool, no_progress: bool, as_json: bool) -> None:
    """Take in the archive FILE ('-' reads stdin): CAR version 1 or 2, whole or partial.

    Every block is held against its CID. Roots that are whole are pinned, and those that are files or directories
    catalogued. Of a damaged archive the sound blocks before the damage are kept; importing it again passes over what is
    here.
    """
    query = {"name": name, "pin_roots": pin_roots}
    with progress_bar(f"import {file}", wanted=not no_progress) as progress:
        if file == STDIN:
            given = parts(sys.stdin.buffer, None, progress, _PART_BYTES)
            imported = client.upload("/dag/import", given, query=query, timeout_s=_ANSWER_S)
        else:
            path = Path(os.path.abspath(file))
            with _archive(path) as source:
                if client.local and is_text(str(path)):
                    body = {"path": str(path), **query}
                    imported = client.lines("POST", "/dag/import", body=body, progress=progress)
                else:
                    query["name"] = name or os.fsencode(path.name).decode("utf-8", "replace").removesuffix(".car")
                    given = parts(source, path.stat().st_size, progress, _PART_BYTES)
                    imported = client.upload("/dag/import", given, query=query, timeout_s=_ANSWER_S)
    _show(imported, as_json)


def _show(imported: Any, as_json: bool) -> None:
    if as_json:
        print_json(imported)
        return
    for root in imported["roots"]:
        click.echo(f"{root['cid']}  {_state(root)}")
    told = f"{imported['blocks']} blocks, {size_text(imported['size'])}: {imported['new']} new"
    note(f"{told}, {imported['known']} were here already" if imported["known"] else told)
    missing = imported["missing"]
    if missing["count"]:
        more = missing["count"] - len(missing["first"])
        named = ", ".join(missing["first"]) + (f" and {more} more" if more else "")
        note(f"{missing['count']} blocks below the roots are not here: {named}")


def _state(root: Any) -> str:
    if not root["here"]:
        return "not in the archive"
    if not root["whole"]:
        return "not whole"
    return "pinned" if root["pinned"] else "whole"


def _archive(file: Path) -> BinaryIO:
    if file.is_dir():
        raise FileAccessError(f"{file} is a directory", hint="name an archive")
    return opened(file)
