"""Options of `chiral add` that say how content is added, and the request that says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])
OPTIONS = ("chunker", "profile", "cid_version", "raw_leaves", "trickle", "mode", "mtime", "only_hash")
_CHOICE = "raw_leaves"
"""The one of the flags whose absence says nothing."""
TREE_OPTIONS = ("hidden", "dereference", "wrap")
MAX_IGNORE_BYTES = 1 << 19

_OPTIONS = (
    click.option(
        "--chunker", metavar="NAME",
        help="How files are cut: default, size-BYTES, adaptive (by the file's size) or cdc (by its content).",
    ),
    click.option(
        "--profile", metavar="NAME",
        help="How the DAG is made: unixfs-v1 (default), unixfs-v0-2015 or unixfs-v1-2025.",
    ),
    click.option(
        "--cid-version", type=click.IntRange(0, 1), help="Version of the DAG's CIDs; 0 goes without raw leaves."
    ),
    click.option(
        "--raw-leaves/--no-raw-leaves", default=None,
        help="Whether the DAG's leaves are the chunks themselves. Without, every chunk is stored twice.",
    ),
    click.option("--trickle", is_flag=True, help="Lay the DAG out for reading from the start on."),
    click.option("--mode", is_flag=True, help="Keep permissions in the DAG."),
    click.option("--mtime", is_flag=True, help="Keep times of change in the DAG."),
    click.option("-n", "--only-hash", is_flag=True, help="Store nothing; just tell the CIDs."),
)  # fmt: skip
_TREE_OPTIONS = (
    click.option("-r", "--recursive", is_flag=True, expose_value=False, help="Directories are always added whole."),
    click.option("-H", "--hidden", is_flag=True, help="Also take what begins with a dot in directories."),
    click.option(
        "--ignore", metavar="PATTERN", multiple=True, help="Leave out what fits, as in a .gitignore; may be repeated."
    ),
    click.option(
        "--ignore-rules-path", metavar="FILE", type=click.File(encoding="utf-8", errors="replace"),
        help="Leave out what fits the patterns in FILE.",
    ),
    click.option("--dereference", is_flag=True, help="Take what symbolic links lead to instead of the links."),
    click.option("-w", "--wrap", is_flag=True, help="Put a directory around each PATH, which keeps its name."),
)  # fmt: skip


def adding_options(function: Function) -> Function:
    """All of these; a command gets them by keyword."""
    wrapped: Any = function
    for option in reversed((*_OPTIONS, *_TREE_OPTIONS)):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


def asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of every file, for a request; what was not given is left to the node."""
    said = {name: given[name] for name in OPTIONS if given[name] is not None}
    return {name: value for name, value in said.items() if value is not False or name == _CHOICE}


def asked_of_tree(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a directory. Raises `click.UsageError` for rules that are too long."""
    rules = given["ignore_rules_path"]
    text = rules.read(MAX_IGNORE_BYTES + 1) if rules is not None else ""
    if len(text) > MAX_IGNORE_BYTES:
        raise click.UsageError(f"the rules of --ignore-rules-path are over {MAX_IGNORE_BYTES} bytes")
    patterns = [*text.splitlines(), *given["ignore"]]
    return {**asked(given), **{name: given[name] for name in TREE_OPTIONS}, "ignore": patterns}
