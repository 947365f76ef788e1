"""Adding many local files in one request: several at once, told of in the order they were asked for.

Small files are added in groups, and groups that run together share the store's transactions and the announcements:
waiting for those, and the turns that each takes, are most of a small file's cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from chiral.api.answers import LineSink
from chiral.api.faults import fault_of
from chiral.api.local_path import files_to_read
from chiral.api.records import AddedFile, BatchCount, BatchItem
from chiral.errors import ChiralError
from chiral.files.add_options import DEFAULT_OPTIONS, AddOptions

if TYPE_CHECKING:
    from chiral.api.surface import ServedFiles
    from chiral.files.results import FileAdded

ADDS_AT_ONCE = 32
"""Large files and groups of small ones under way together."""
BYTES_AT_ONCE = 16 << 20
"""Of the files under way, so that they take little more memory than one does."""
_ADD_COST_BYTES = 8 << 20
"""The most that one file counts for: however long it is, only a few batches of it are in memory."""
SMALL_BYTES = 256 << 10
GROUP_FILES = 64
"""The most small files that are added as one."""
_GROUP_BYTES = 4 << 20
_TELL_INTERVAL_S = 0.02
"""Outcomes gather for so long, since sending each by itself would take as long as adding the file."""

Checked = tuple[Path, int] | ChiralError
Group = list[tuple[int, Path]]
"""Files added as one: the number of each in the request, and its path."""


class Batch:
    """One request's files: `(path, name)` each. A file that fails stops no other."""

    def __init__(
        self,
        files: ServedFiles,
        asked: Sequence[tuple[str, str]],
        data_dir: Path,
        options: AddOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._files = files
        self._options = options
        self._asked = asked
        self._data_dir = data_dir
        self._outcomes: list[BatchItem | None] = [None] * len(asked)
        self._sizes: list[int] = []
        self._done_bytes = 0
        self._total_bytes = 0
        self._count = self._bytes = 0
        """Adds under way, and what they count for."""
        self._news = trio.Event()

    async def run(self, sink: LineSink) -> BatchCount:
        """Add the files; to `sink` goes an item for each in their order, and the bytes gone through of all bytes."""
        checked = await trio.to_thread.run_sync(files_to_read, [path for path, _ in self._asked], self._data_dir)
        self._sizes = [0 if isinstance(found, ChiralError) else found[1] for found in checked]
        self._total_bytes = sum(self._sizes)
        sink.progress(0, self._total_bytes)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell, sink)
            for group in self._groups(checked):
                cost = min(sum(self._sizes[index] for index, _ in group), _ADD_COST_BYTES)
                await self._place(cost)
                nursery.start_soon(self._add, group, cost, sink)
        added = sum(item is not None and item.added is not None for item in self._outcomes)
        return BatchCount(added=added, failed=len(self._outcomes) - added)

    def _groups(self, checked: Sequence[Checked]) -> Iterator[Group]:
        """What is added as one: each large file, and small files together. Settles those that cannot be added."""
        small: Group = []
        size = 0
        for index, found in enumerate(checked):
            if isinstance(found, ChiralError):
                self._settle(index, BatchItem(error=fault_of(found)))
            elif found[1] > SMALL_BYTES:
                yield [(index, found[0])]
            else:
                if len(small) == GROUP_FILES or size + found[1] > _GROUP_BYTES:
                    yield small
                    small, size = [], 0
                small.append((index, found[0]))
                size += found[1]
        if small:
            yield small

    async def _place(self, cost: int) -> None:
        """Take a place among the adds under way once there is one; a single add always has one."""
        while self._count and (self._count >= ADDS_AT_ONCE or self._bytes + cost > BYTES_AT_ONCE):
            await self._news.wait()
        self._count += 1
        self._bytes += cost

    async def _add(self, group: Group, cost: int, sink: LineSink) -> None:
        added = await self._add_small(group) if self._sizes[group[0][0]] <= SMALL_BYTES else [None] * len(group)
        for (index, path), file in zip(group, added, strict=True):
            if file is None:
                outcome = await self._add_one(index, path, sink)
            else:
                outcome = BatchItem(added=AddedFile.of(file))
                self._done_bytes += self._sizes[index]
            self._settle(index, outcome)
        sink.progress(self._done_bytes, self._total_bytes)
        self._count -= 1
        self._bytes -= cost
        self._ring()

    async def _add_small(self, group: Group) -> list[FileAdded | None]:
        """Add the files as one; those it could not be done for are None, and are to be added one by one."""
        try:
            asked = [(path, self._asked[index][1]) for index, path in group]
            return await self._files.add_small(asked, options=self._options)
        except ChiralError:
            return [None] * len(group)

    async def _add_one(self, index: int, path: Path, sink: LineSink) -> BatchItem:
        size = self._sizes[index]
        told = 0

        def progress(done: int, total: int | None) -> None:
            nonlocal told
            self._done_bytes += min(done, size) - told  # a file may grow while it is read
            told = min(done, size)
            sink.progress(self._done_bytes, self._total_bytes)

        try:
            name = self._asked[index][1]
            added = await self._files.add_path(path, name=name, progress=progress, options=self._options)
            return BatchItem(added=AddedFile.of(added))
        except Exception as error:  # it is told of in the file's item, and the other files go on
            return BatchItem(error=fault_of(error))
        finally:
            progress(size, size)

    def _settle(self, index: int, outcome: BatchItem) -> None:
        self._outcomes[index] = outcome
        self._ring()

    def _ring(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def _tell(self, sink: LineSink) -> None:
        """Send the outcomes in order, those that are there together at once."""
        told = 0
        while told < len(self._outcomes):
            news = self._news
            ready: list[BatchItem] = []
            for outcome in self._outcomes[told:]:
                if outcome is None:
                    break
                ready.append(outcome)
            if ready:
                await sink.items(ready)
                told += len(ready)
                await trio.sleep(_TELL_INTERVAL_S)
            else:
                await news.wait()
