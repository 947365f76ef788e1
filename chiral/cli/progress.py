"""Progress bars with speed and time left, on stderr where that is a terminal; rich is loaded only then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chiral.cli.printing import printable

Progress = Callable[[int, int | None], None]


FilesProgress = Callable[[int, int], None]
"""Called with how many files are done and how many bytes."""


@contextmanager
def progress_bar(label: str, *, wanted: bool = True) -> Iterator[Progress]:
    """Yields what is told bytes done and bytes in all (None while not known)."""
    with _bar(wanted) as update:
        shown = printable(label)
        update(shown, 0, None)
        yield lambda done, total: update(shown, done, total)


@contextmanager
def files_progress_bar(files: int, total_bytes: int, *, wanted: bool = True) -> Iterator[FilesProgress]:
    """One bar for many files; yields what is told files and bytes done."""
    with _bar(wanted) as update:
        yield lambda done, done_bytes: update(f"{done}/{files} files", done_bytes, total_bytes)


@contextmanager
def _bar(wanted: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """Yields what is told the label, and how much is done of how much."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda label, done, total: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)
        yield lambda label, done, total: bars.update(task, description=escape(label), completed=done, total=total)
