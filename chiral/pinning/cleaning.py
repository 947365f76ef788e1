"""Cleaning up on demand: what nothing keeps goes and, `deep`, every file that no pin keeps goes before it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.errors import NotFoundError, PinnedError
from chiral.interface.catalogue import Catalogue, FileRecord
from chiral.interface.pins import Pins
from chiral.pinning.collector import Collector
from chiral.pinning.progress import CollectionProgress

logger = logging.getLogger(__name__)

_PAGE = 256


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was removed, or of a dry run would be.

    `files` of `file_bytes` leave the catalogue, some of their blocks may be others' too; `collection` is how far
    removing blocks that nothing keeps has come, None before that begins. A dry run counts those that are so already.
    """

    files: int
    file_bytes: int
    collection: CollectionProgress | None = None


class Cleaner:
    """One node's. `forget` removes a file as the user's own command does."""

    def __init__(
        self, catalogue: Catalogue, pins: Pins, collector: Collector, forget: Callable[[CID], Awaitable[object]]
    ) -> None:
        self._catalogue = catalogue
        self._pins = pins
        self._collector = collector
        self._forget = forget

    async def clean(self, *, deep: bool, dry_run: bool) -> AsyncGenerator[Cleaned, None]:
        """Clean, yielding how far that has come. Raises `CollectionBusyError` and what ends a collection."""
        self._collector.require_idle()  # before anything goes: what is forgotten is collected at once or not at all
        files = file_bytes = 0
        if deep:
            async with aclosing(self._unpinned()) as unpinned:
                async for record in unpinned:
                    if dry_run or await self._forgotten(record):
                        files += 1
                        file_bytes += record.size
                        yield Cleaned(files, file_bytes)
        async with aclosing(self._collector.collect(dry_run=dry_run)) as collecting:
            async for progress in collecting:
                yield Cleaned(files, file_bytes, progress)

    async def _forgotten(self, record: FileRecord) -> bool:
        try:
            await self._forget(record.root)
        except (PinnedError, NotFoundError) as error:
            logger.info("%s stays: %s", record.root, error)
            return False
        return True

    async def _unpinned(self) -> AsyncGenerator[FileRecord, None]:
        async for page in self._pages():
            roots = [record.root for record in page]
            dags = [record.dag_root or record.root for record in page]
            by_root, by_dag = await self._pins.has_many(roots), await self._pins.has_many(dags)
            for record, root_pinned, dag_pinned in zip(page, by_root, by_dag, strict=True):
                if not (root_pinned or dag_pinned):
                    yield record

    async def _pages(self) -> AsyncIterator[list[FileRecord]]:
        after = b""
        while page := await self._catalogue.page(after, _PAGE):
            yield page
            after = page[-1].root.multihash
