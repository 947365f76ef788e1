"""`chiral add`: files and directories into the node, their CIDs out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from chiral.api.local_path import unreadable
from chiral.cli.adding import adding_options, asked, asked_of_tree
from chiral.cli.batch import BatchAdder, Found, LocalFile, Tell
from chiral.cli.client import Client
from chiral.cli.faults import error_of
from chiral.cli.novelty import Novelty
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import is_text, note, print_json, printable
from chiral.cli.progress import files_progress_bar, progress_bar
from chiral.cli.quantities import Lifetime, lifetime_of
from chiral.cli.upload_source import opened, parts
from chiral.errors import ChiralError, FileAccessError, UsageError

_FILE_KEYS = ("cid", "dag_cid", "name", "size", "chunks", "new_blocks", "new_bytes", "known")
_TREE_KEYS = (*_FILE_KEYS, "files", "directories", "links", "failed")
STDIN = "-"


@click.command("add")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path())
@click.option("--name", help="The name to give instead of its own; needed with '-' for stdin.")
@click.option("--as", "version_of", metavar="NAME", help="Make it the newest version of NAME.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Give it a tag; may be repeated.")
@click.option("--ttl", "lifetime_s", metavar="TIME", type=Lifetime(), help="Remove it after so long, such as 30d.")
@adding_options
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
@json_option
@client_command
def command(client: Client, paths: tuple[str, ...], name: str | None, **given: Any) -> int:
    """Add files and directories and print each one's CID and name. PATH '-' reads stdin.

    A file's CID is its Chiral root, over its chunks, whatever the DAG is made like; --json tells the DAG's root too. A
    directory's CID is its DAG's root, and every file in it is added as such, too. What cannot be read in a directory is
    named and left out.

    Every path is tried; the exit code is that of the first that failed.
    """
    if name is not None and len(paths) > 1:
        raise UsageError("--name goes with one path only")
    outcomes = _Outcomes(client, given)
    show = not given["no_progress"]
    if len(paths) == 1:
        outcomes.tell(_tried(client, paths[0], name, given))
        return outcomes.close()
    for by_path, group in groupby(paths, lambda path: client.local and _is_plain_file(path) and not given["wrap"]):
        if by_path:
            _add_many(client, [_found(path) for path in group], outcomes.tell, asked(given), show=show)
        else:
            for path in group:
                outcomes.tell(_tried(client, path, None, given))
    return outcomes.close()


class _Outcomes:
    """What is told of each path as it is done, and the exit code that comes of it."""

    def __init__(self, client: Client, given: Mapping[str, Any]) -> None:
        self._client = client
        self._as_json: bool = given["as_json"]
        self._only_hash: bool = given["only_hash"]
        said = {"tags": list(given["tags"]), "lifetime_s": _lifetime(given), "version_of": given["version_of"]}
        self._said = said if any(value not in (None, []) for value in said.values()) else None
        if self._said is not None and given["only_hash"]:
            raise UsageError("nothing can be said of what is not stored", hint="leave --only-hash out")
        self.code = 0
        self._novelty = Novelty()

    def close(self) -> int:
        """Tell how much of all was new; the exit code."""
        if not self._as_json and not self._only_hash and self._novelty.text:
            note(self._novelty.text)
        return self.code

    def tell(self, outcome: Any) -> None:
        """Print an answer of the API or an error."""
        if isinstance(outcome, ChiralError):
            self._fail(outcome)
            return
        is_tree = "files" in outcome
        for fault in outcome["faults"] if is_tree else ():
            self._fail(error_of(fault["error"]))
        if is_tree and outcome["failed"] > len(outcome["faults"]):
            note(f"error: and {outcome['failed'] - len(outcome['faults'])} more could not be added")
        version = self._describe(outcome["cid"])
        self._novelty.count(outcome)
        if self._as_json:
            told = {key: outcome[key] for key in (_TREE_KEYS if is_tree else _FILE_KEYS)}
            print_json(told if version is None else {**told, "version": version})
        else:
            click.echo(f"{outcome['cid']}  {printable(outcome['name'])}")

    def _describe(self, cid: str) -> str | None:
        """Say of what was added what was said of it; the version it is now, if it is one."""
        if self._said is None:
            return None
        try:
            version = self._client.call("POST", f"/catalogue/{cid}/description", body=self._said)["version"]
        except ChiralError as error:
            self._fail(error)
            return None
        return None if version is None else f"{version['name']}@{version['number']}"

    def _fail(self, error: ChiralError) -> None:
        note(f"error: {error}")
        self.code = self.code or error.exit_code


def _lifetime(given: Mapping[str, Any]) -> float | None:
    return None if given["lifetime_s"] is None else lifetime_of(given["lifetime_s"])


def _add_many(client: Client, found: list[Found], tell: Tell, how: dict[str, Any], *, show: bool) -> None:
    size = sum(file.size for file in found if isinstance(file, LocalFile))
    with files_progress_bar(len(found), size, wanted=show) as progress:
        BatchAdder(client, tell, progress, how).add(found)


def _is_plain_file(path: str) -> bool:
    return is_text(os.path.abspath(path)) and not os.path.isdir(path)


def _found(path: str) -> Found:
    """What there is to add at `path`, or why there is nothing."""
    try:
        if path == STDIN:
            raise _nameless()
        file = Path(os.path.abspath(path))
        return LocalFile(str(file), file.name, _readable_size(file))
    except ChiralError as error:
        return error


def _tried(client: Client, path: str, name: str | None, given: Mapping[str, Any]) -> Any:
    """What the API answers to adding one path, or the error it raises."""
    show = not given["no_progress"]
    try:
        if path != STDIN and (given["wrap"] or os.path.isdir(path)):
            return add_tree(client, path, name, asked_of_tree(given), show=show)
        return add_one(client, path, name, show=show, how=asked(given))
    except ChiralError as error:
        return error


def add_tree(client: Client, path: str, name: str | None, how: dict[str, Any], *, show: bool) -> Any:
    """Add a directory, or anything with a directory around it; returns the API's answer."""
    absolute = os.path.abspath(path)
    if not client.local or not is_text(absolute):
        raise UsageError(
            f"{printable(path)} is a directory, and those are added over the node's own socket only",
            hint="name the node by --data",
        )
    with progress_bar(name or os.path.basename(absolute), wanted=show) as progress:
        body = {"path": absolute, **({"name": name} if name else {}), **how}
        return client.lines("POST", "/files/tree", body=body, progress=progress)


def add_one(client: Client, path: str, name: str | None, *, show: bool, how: Mapping[str, Any] | None = None) -> Any:
    """Add one file, by its path where the node can take it, else by its bytes; returns the API's answer."""
    options = dict(how or {})
    if path == STDIN:
        if name is None:
            raise _nameless()
        given = parts(sys.stdin.buffer, None, lambda done, total: None)
        return client.upload("/files", given, query={"name": name, **options})
    file = Path(os.path.abspath(path))
    size = _readable_size(file)
    shown = os.fsencode(name or file.name).decode("utf-8", "replace")
    with progress_bar(shown, wanted=show) as progress:
        if client.local and is_text(str(file)):
            body = {"path": str(file), "name": shown, **options}
            return client.lines("POST", "/files", body=body, progress=progress)
        with opened(file) as source:
            return client.upload("/files", parts(source, size, progress), query={"name": shown, **options})


def _nameless() -> UsageError:
    return UsageError("stdin has no name", hint="give it one with --name")


def _readable_size(file: Path) -> int:
    """The file's size; raises `FileAccessError` for what is no file that this user may read."""
    try:
        if file.is_dir():
            raise FileAccessError(f"{file} is a directory", hint="add it by itself")
        with opened(file):
            return file.stat().st_size
    except OSError as error:
        raise unreadable(file, error) from error
