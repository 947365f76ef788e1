"""Writes the DAG below a CID as an archive, block after block: holds a few batches, whatever the DAG's size."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.car.header import V2_DATA_OFFSET, V2Header, encode_header, encode_v2_header
from chiral.car.writer import section
from chiral.errors import IntegrityError, NotFoundError, sole_error
from chiral.files.archive_blocks import BlockSource
from chiral.files.archive_order import DepthFirst
from chiral.files.archive_results import ExportOptions, ExportReport, Missing
from chiral.files.archive_seen import KEY_BYTES
from chiral.files.archive_walk import DagWalk, Visit
from chiral.files.results import Progress
from chiral.pinning.links import is_inline

_BATCHES_AHEAD = 1

Piece = bytes | bytearray | memoryview
Write = Callable[[Sequence[Piece]], Awaitable[None]]
"""Takes the archive's bytes in order; what it raises ends the export."""


async def export_dag(
    root: CID, source: BlockSource, write: Write, options: ExportOptions, progress: Progress | None = None
) -> ExportReport:
    """Write the archive of all below `root`; returns what it came to.

    Raises what `source` and `write` raise, and `NotFoundError`, at the end, where blocks are missing that were not to
    be left out. An archive of version 2 says how long it is at its start, so that the DAG is gone through twice.
    """
    head = encode_header([root])
    if options.version == 1:
        return await _Export(root, source, write, options, progress).run([head])
    measured = await _Export(root, source, _nothing, options, None).run([head])
    start = encode_v2_header(V2Header(V2_DATA_OFFSET, measured.size))
    report = await _Export(root, source, write, options, progress).run([start, head])
    if report.size != measured.size + len(start):
        raise IntegrityError(f"what is held below {root} changed while it was written", hint="export it again")
    return report


class _Export:
    """One pass over the DAG: reading and verifying one batch overlaps with writing the one before."""

    def __init__(
        self, root: CID, source: BlockSource, write: Write, options: ExportOptions, progress: Progress | None
    ) -> None:
        self._root = root
        self._source = source
        self._write = write
        self._options = options
        self._progress = progress
        self._blocks = 0
        self._size = 0
        self._missing = Missing()

    async def run(self, head: Sequence[bytes]) -> ExportReport:
        send, receive = trio.open_memory_channel[list[Visit]](_BATCHES_AHEAD)
        with sole_error():
            async with receive, trio.open_nursery() as nursery:
                nursery.start_soon(self._read, send)
                async for batch in receive:
                    sections = self._sections(batch)
                    if head:
                        self._require_root(batch[0])
                        await self._put(head)
                        head = ()
                    await self._put(sections)
                    if self._progress is not None:
                        self._progress(self._size, None)
        if self._missing.count and not self._options.partial:
            raise _lacking(self._root, self._missing)
        return ExportReport(self._root, self._options.version, self._blocks, self._size, self._missing)

    async def _read(self, send: trio.MemorySendChannel[list[Visit]]) -> None:
        order = DepthFirst([self._root], os.urandom(KEY_BYTES))
        async with send, aclosing(DagWalk(order, self._source).batches()) as batches:
            async for batch in batches:
                await send.send(batch)

    def _sections(self, batch: Sequence[Visit]) -> list[Piece]:
        pieces: list[Piece] = []
        for visit in batch:
            if visit.data is None:
                self._missing = self._missing.and_also(visit.cid)
            elif not is_inline(visit.cid):  # readers have the bytes from the CID
                self._blocks += 1
                pieces += section(Block(visit.cid, visit.data))
        return pieces

    def _require_root(self, first: Visit) -> None:
        """An archive of nothing is no use to anybody who did not ask for what there is."""
        if first.data is None and not self._options.partial:
            raise _lacking(self._root, self._missing)

    async def _put(self, pieces: Sequence[Piece]) -> None:
        await self._write(pieces)
        self._size += sum(map(len, pieces))


async def _nothing(pieces: Sequence[Piece]) -> None:
    """Write them nowhere: only their lengths are asked for."""


def _lacking(root: CID, missing: Missing) -> NotFoundError:
    return NotFoundError(
        f"{missing.count} blocks below {root} are not here: {missing}",
        hint="--partial leaves them out; without --offline peers are asked for them",
    )
