"""Progress bars with speed and time left, on stderr where that is a terminal; rich is loaded only then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chiral.cli.printing import printable

Progress = Callable[[int, int | None], None]


@contextmanager
def progress_bar(label: str, *, wanted: bool = True) -> Iterator[Progress]:
    """Yields what is told bytes done and bytes in all (None while not known)."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda done, total: None
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
        task = bars.add_task(escape(printable(label)), total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
