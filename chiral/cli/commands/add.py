"""`chiral add`: files into the node, their CIDs out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from chiral.api.local_path import unreadable
from chiral.cli.client import Client, Progress
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import is_text, note, print_json, printable
from chiral.cli.progress import progress_bar
from chiral.errors import ChiralError, FileAccessError, UsageError

_PART_BYTES = 1 << 18
STDIN = "-"


@click.command("add")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path())
@click.option("--name", help="The name to give the file instead of its own; needed with '-' for stdin.")
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
@json_option
@client_command
def command(client: Client, paths: tuple[str, ...], name: str | None, no_progress: bool, as_json: bool) -> int:
    """Add files and print each one's CID and name. PATH '-' reads stdin.

    Every path is tried; the exit code is that of the first that failed.
    """
    if name is not None and len(paths) > 1:
        raise UsageError("--name goes with one path only")
    code = 0
    for path in paths:
        try:
            added = add_one(client, path, name, show=not no_progress)
        except ChiralError as error:
            if len(paths) == 1:
                raise
            note(f"error: {error}")
            code = code or error.exit_code
            continue
        if as_json:
            print_json({key: added[key] for key in ("cid", "dag_cid", "name", "size", "chunks")})
        else:
            click.echo(f"{added['cid']}  {printable(added['name'])}")
    return code


def add_one(client: Client, path: str, name: str | None, *, show: bool) -> Any:
    """Add one file, by its path where the node can take it, else by its bytes; returns the API's answer."""
    if path == STDIN:
        if name is None:
            raise UsageError("stdin has no name", hint="give it one with --name")
        return client.upload("/files", _parts(sys.stdin.buffer, None, lambda done, total: None), query={"name": name})
    file = Path(os.path.abspath(path))
    size = _readable_size(file)
    shown = os.fsencode(name or file.name).decode("utf-8", "replace")
    with progress_bar(shown, wanted=show) as progress:
        if client.local and is_text(str(file)):
            return client.lines("POST", "/files", body={"path": str(file), "name": shown}, progress=progress)
        with _opened(file) as source:
            return client.upload("/files", _parts(source, size, progress), query={"name": shown})


def _readable_size(file: Path) -> int:
    """The file's size; raises `FileAccessError` for what is no file that this user may read."""
    try:
        if file.is_dir():
            raise FileAccessError(f"{file} is a directory", hint="add the files in it one by one")
        with _opened(file):
            return file.stat().st_size
    except OSError as error:
        raise unreadable(file, error) from error


def _opened(file: Path) -> BinaryIO:
    try:
        return open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise unreadable(file, error) from error


def _parts(source: BinaryIO, size: int | None, progress: Progress) -> Iterator[bytes]:
    done = 0
    while True:
        try:
            part = source.read(_PART_BYTES)
        except OSError as error:
            raise FileAccessError(f"cannot read {source.name}: {error.strerror}") from error
        if not part:
            return
        done += len(part)
        yield part
        progress(done, size)
