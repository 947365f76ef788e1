"""`chiral add`: files into the node, their CIDs out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import click

from chiral.api.local_path import unreadable
from chiral.cli.batch import BatchAdder, Found, LocalFile, Tell
from chiral.cli.client import Client, Progress
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import is_text, note, print_json, printable
from chiral.cli.progress import files_progress_bar, progress_bar
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
    if len(paths) == 1:
        _print(add_one(client, paths[0], name, show=not no_progress), as_json)
        return 0
    code = 0

    def tell(outcome: Any) -> None:
        nonlocal code
        if isinstance(outcome, ChiralError):
            note(f"error: {outcome}")
            code = code or outcome.exit_code
        else:
            _print(outcome, as_json)

    for by_path, group in groupby(paths, lambda path: client.local and is_text(os.path.abspath(path))):
        if by_path:
            _add_many(client, [_found(path) for path in group], tell, show=not no_progress)
        else:
            for path in group:
                tell(_tried(client, path, show=not no_progress))
    return code


def _add_many(client: Client, found: list[Found], tell: Tell, *, show: bool) -> None:
    size = sum(file.size for file in found if isinstance(file, LocalFile))
    with files_progress_bar(len(found), size, wanted=show) as progress:
        BatchAdder(client, tell, progress).add(found)


def _print(added: Any, as_json: bool) -> None:
    if as_json:
        print_json({key: added[key] for key in ("cid", "dag_cid", "name", "size", "chunks")})
    else:
        click.echo(f"{added['cid']}  {printable(added['name'])}")


def _found(path: str) -> Found:
    """What there is to add at `path`, or why there is nothing."""
    try:
        if path == STDIN:
            raise _nameless()
        file = Path(os.path.abspath(path))
        return LocalFile(str(file), file.name, _readable_size(file))
    except ChiralError as error:
        return error


def _tried(client: Client, path: str, *, show: bool) -> Any:
    """What `add_one` returns, or the error it raises."""
    try:
        return add_one(client, path, None, show=show)
    except ChiralError as error:
        return error


def add_one(client: Client, path: str, name: str | None, *, show: bool) -> Any:
    """Add one file, by its path where the node can take it, else by its bytes; returns the API's answer."""
    if path == STDIN:
        if name is None:
            raise _nameless()
        return client.upload("/files", _parts(sys.stdin.buffer, None, lambda done, total: None), query={"name": name})
    file = Path(os.path.abspath(path))
    size = _readable_size(file)
    shown = os.fsencode(name or file.name).decode("utf-8", "replace")
    with progress_bar(shown, wanted=show) as progress:
        if client.local and is_text(str(file)):
            return client.lines("POST", "/files", body={"path": str(file), "name": shown}, progress=progress)
        with _opened(file) as source:
            return client.upload("/files", _parts(source, size, progress), query={"name": shown})


def _nameless() -> UsageError:
    return UsageError("stdin has no name", hint="give it one with --name")


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
