"""How results are written: JSON lines, aligned columns, sizes and ages in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def print_json(value: Any) -> None:
    """One JSON value on a line of its own, on stdout; bytes of a path that are no text are escaped."""
    click.echo(json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def print_columns(rows: Iterable[Sequence[str]]) -> None:
    """Rows in aligned columns on stdout."""
    table = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def note(text: str) -> None:
    """A remark for people, on stderr."""
    click.echo(printable(text), err=True)


def printable(text: str) -> str:
    """`text` without control characters, which a name made elsewhere could smuggle into a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def is_text(name: str) -> bool:
    """Whether `name`, a path or a part of one, is text, not bytes that Python escaped to be able to hold them."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def size_text(size_bytes: float) -> str:
    """A size in binary units, for people."""
    for unit in _UNITS[:-1]:
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} {_UNITS[-1]}"


def seconds_text(seconds: float) -> str:
    """A duration in its two largest units, for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
