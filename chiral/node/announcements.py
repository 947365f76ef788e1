"""Tells the swarm what this node holds: roots at once, chunks behind them, as far as the settings say.

By default a root is announced under its CID's bytes (Chiral, Rust) and its multihash (Go, IPFS), a chunk under its
CID's bytes only: whoever looks for a file asks the root's providers for its chunks first.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import trio

from chiral.block.cid import CID, DAG_PB
from chiral.dag.file_info import FileInfo
from chiral.errors import ChiralError, ProtocolError
from chiral.interface.catalogue import Catalogue, FileRecord
from chiral.interface.routing import ProvideResult, Routing

logger = logging.getLogger(__name__)

_ROOT_WAIT_S = 10.0
_MAX_WAITING = 4096
_KEYS_AT_ONCE = 2048
"""Of roots: more share lookups better, but who adds a file meanwhile waits for them."""
_PAGE_FILES = 100
_READ_INLINE_BYTES = 4096
"""Manifests of less in all are read in less time than a thread's turn takes."""

Policy = Literal["all", "roots", "off"]
KeyForms = Literal["both", "cid", "multihash"]


def root_keys(root: CID) -> list[bytes]:
    """The provider keys under which a root may be found, each once."""
    return list(dict.fromkeys((root.buffer, root.multihash)))


@dataclass(frozen=True, slots=True)
class AnnouncePlan:
    """What is announced: `all` files with their chunks, `roots` alone or nothing; and under which form of key.

    With `both` a root has two keys and a chunk that of its CID.
    """

    policy: Policy = "all"
    forms: KeyForms = "both"

    def of_root(self, root: CID) -> list[bytes]:
        """The keys a root is announced under."""
        if self.policy == "off":
            return []
        return root_keys(root) if self.forms == "both" else [self._form(root)]

    def of_chunks(self, chunks: Iterable[CID]) -> list[bytes]:
        """The keys that the chunks of a file are announced under, each once."""
        return list(dict.fromkeys(map(self._form, chunks))) if self.policy == "all" else []

    def _form(self, cid: CID) -> bytes:
        return cid.multihash if self.forms == "multihash" else cid.buffer


class Announcements:
    """Announces through the routing, which repeats what it was told; implements `chiral.files.announcer.Announcer`.

    Roots that come while others are being announced are announced together, so do the chunks of small files. What waits
    is names of files, at most 4096; should more come, the whole catalogue is gone through after them.
    """

    def __init__(self, routing: Routing, catalogue: Catalogue, plan: AnnouncePlan | None = None) -> None:
        self._routing = routing
        self._catalogue = catalogue
        self._plan = plan or AnnouncePlan()
        self._roots: dict[CID, trio.Event] = {}
        """Roots to announce, and who waits for that."""
        self._chunks: deque[CID] = deque()
        """Roots of files whose chunks are to be announced."""
        self._missed_some = False
        self._roots_wait = trio.Event()
        self._chunks_wait = trio.Event()

    async def added(self, *roots: CID) -> None:
        """Announce the roots, waiting for ten seconds at most, and the rest behind."""
        announced = [self._note(root) for root in roots]
        with trio.move_on_after(_ROOT_WAIT_S):
            for root in announced:
                await root.wait()

    def fetched(self, root: CID) -> None:
        """Announce the file behind."""
        self._note(root)

    async def removed(self, root: CID, chunks: Sequence[CID]) -> None:
        """Announce the root and those chunks no longer."""
        await self._routing.stop_providing([*root_keys(root), *self._plan.of_chunks(chunks)])

    async def provide(self, cid: CID) -> list[ProvideResult]:
        """Announce one CID under both keys now, whatever the plan says; raises what the routing raises."""
        return await self._routing.provide(root_keys(cid))

    async def run(self) -> None:
        """Announce what is due until cancelled; roots do not wait for the chunks of other files."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._announce_roots)
            nursery.start_soon(self._announce_chunks)

    async def resume(self) -> None:
        """See that all that the catalogue holds is kept announced, and nothing that it holds no longer.

        What was announced in the last run waits for its turn.
        """
        try:
            async with aclosing(self._catalogue_keys()) as batches:
                dropped = await self._routing.provide_only(batches)
        except ChiralError as error:
            logger.warning("the catalogue could not be announced whole: %s", error)
            return
        if dropped:
            logger.info("%d keys that the last run announced are announced no longer", dropped)

    async def _catalogue_keys(self) -> AsyncGenerator[list[bytes], None]:
        after = b""
        while self._plan.policy != "off" and (page := await self._catalogue.page(after, _PAGE_FILES)):
            roots = [record.root for record in page]
            after = roots[-1].multihash
            dags = [record.dag_root for record in page if record.dag_root is not None and _is_announced(record)]
            yield [key for root in (*roots, *dags) for key in self._plan.of_root(root)]
            yield await self._chunk_keys(roots)

    def _note(self, root: CID) -> trio.Event:
        """Have `root` announced; the event is set once it is, or where it must wait for the whole catalogue."""
        if self._plan.policy == "off":
            return _set_event()
        if len(self._roots) + len(self._chunks) >= _MAX_WAITING:
            self._missed_some = True
            self._chunks_wait.set()
            return _set_event()
        self._roots_wait.set()
        return self._roots.setdefault(root, trio.Event())

    async def _announce_roots(self) -> None:
        while True:
            await self._roots_wait.wait()
            self._roots_wait = trio.Event()
            roots, self._roots = self._roots, {}
            keys = [key for root in roots for key in self._plan.of_root(root)]
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                await self._provide(keys[start : start + _KEYS_AT_ONCE])
            for announced in roots.values():
                announced.set()
            self._chunks += roots
            self._chunks_wait.set()

    async def _announce_chunks(self) -> None:
        while True:
            await self._chunks_wait.wait()
            self._chunks_wait = trio.Event()
            while self._chunks:
                roots = [self._chunks.popleft() for _ in range(min(_PAGE_FILES, len(self._chunks)))]
                await self._schedule_chunks(roots)
            if self._missed_some:
                self._missed_some = False
                await self.resume()

    async def _schedule_chunks(self, roots: Sequence[CID]) -> None:
        try:
            if keys := await self._chunk_keys(roots):
                await self._routing.schedule(keys)
        except ChiralError as error:
            logger.warning("the chunks of %d files cannot be announced: %s", len(roots), error)

    async def _chunk_keys(self, roots: Sequence[CID]) -> list[bytes]:
        """The keys of the chunks of all these files, each once; nothing of one that is gone meanwhile."""
        if self._plan.policy != "all":
            return []
        manifests = await self._catalogue.manifests(roots)
        held = [(root, manifest) for root, manifest in zip(roots, manifests, strict=True) if manifest is not None]
        if sum(len(manifest) for _, manifest in held) <= _READ_INLINE_BYTES:
            return self._read_keys(held)
        return await trio.to_thread.run_sync(self._read_keys, held)

    def _read_keys(self, manifests: Sequence[tuple[CID, bytes]]) -> list[bytes]:
        chunks: dict[CID, None] = {}
        for root, manifest in manifests:
            try:
                chunks.update(dict.fromkeys(FileInfo.parse(manifest).chunk_cids))
            except ProtocolError as error:
                logger.warning("the chunks of %s cannot be announced, its manifest is damaged: %s", root, error)
        return self._plan.of_chunks(chunks)

    async def _provide(self, keys: Sequence[bytes]) -> None:
        try:
            await self._routing.provide(list(dict.fromkeys(keys)), by_hand=False)
        except ChiralError as error:
            logger.warning("%d keys could not be announced: %s", len(keys), error)


def _is_announced(record: FileRecord) -> bool:
    """Whether the DAG root is announced beside the root: not where it is that, or a chunk."""
    return record.dag_root is not None and record.dag_root != record.root and record.dag_root.codec == DAG_PB


def _set_event() -> trio.Event:
    event = trio.Event()
    event.set()
    return event
