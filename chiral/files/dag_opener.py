"""Opens what a CID and a path below it lead to in a DAG: a file or a directory, its blocks from here or from peers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from chiral.block.cid import CID, DAG_PB
from chiral.clock import Clock
from chiral.dag.dag_node import DagNode, read_node
from chiral.dag.directory_reader import resolve
from chiral.dag.file_info import FileInfo
from chiral.errors import InvalidCidError, NotFoundError, UsageError, sole_error
from chiral.files.announcer import Announcer
from chiral.files.dag_blocks import DagBlocks
from chiral.files.dag_file import DagFileReader, Whole
from chiral.files.entries import dag_file_record, directory_record, enter, file_record
from chiral.files.resolver import RootResolver
from chiral.files.root import Root
from chiral.files.shelf import Shelf
from chiral.files.span import Span
from chiral.transfer.fetch import BlockFetcher


class IsDirectoryError(UsageError):
    """A directory stands where a file was asked for."""

    code = "is_directory"


class NotFileError(UsageError):
    """A symbolic link, or what is neither, stands where a file or directory was asked for."""

    code = "not_file"


class NotDirectoryError(UsageError):
    """Something else stands where a directory was asked for."""

    code = "not_directory"


@dataclass(frozen=True, slots=True)
class OpenDag:
    """What was found, and where its blocks come from. `fetched`: the root was not here."""

    root: CID
    path: tuple[str, ...]
    node: DagNode
    blocks: DagBlocks
    fetched: bool

    @property
    def name(self) -> str:
        """What it is called by: the end of the path, else the CID."""
        return self.path[-1] if self.path else str(self.root)

    @property
    def was_fetched(self) -> bool:
        """Whether any of it came from elsewhere until now."""
        return self.fetched or self.blocks.fetched

    @property
    def providers(self) -> int:
        return max(self.blocks.providers, int(self.fetched))


class DagOpener:
    """One node's: joins what is here with what is fetched. What was fetched and read whole enters the catalogue."""

    def __init__(
        self, resolver: RootResolver, fetcher: BlockFetcher, shelf: Shelf, announcer: Announcer, clock: Clock
    ) -> None:
        self._resolver = resolver
        self._fetcher = fetcher
        self._shelf = shelf
        self._announcer = announcer
        self._clock = clock

    @asynccontextmanager
    async def open(self, cid: CID, path: Sequence[str], *, timeout_s: float) -> AsyncIterator[OpenDag]:
        """What `path` leads to from `cid`, within the block; gives up after `timeout_s` seconds without progress.

        Raises `NotFoundError` for a path that leads nowhere, `MalformedContentError`, and as `RootResolver.resolve`.
        """
        if cid.codec != DAG_PB and path:
            raise NotFoundError(f"{cid} is not a directory: there is no {path[0][:80]!r} in it")
        # In use from before it is looked for: a collection must not take what this is about to rely on.
        async with self._shelf.using([cid]):
            root = await self._resolver.resolve(cid, timeout_s)
            if root.info is not None:
                raise InvalidCidError(f"{cid} is a file's Chiral root, not a DAG")
            async with self._walking(cid, path, root, timeout_s) as opened:
                yield opened

    @asynccontextmanager
    async def _walking(self, cid: CID, path: Sequence[str], root: Root, timeout_s: float) -> AsyncIterator[OpenDag]:
        with sole_error():
            async with trio.open_nursery() as nursery:
                blocks = DagBlocks(cid, self._shelf, self._fetcher, nursery, root.candidates, timeout_s)
                blocks.have(cid, root.data)
                async with self._shelf.using(blocks.used):
                    below = tuple(name for name in path if name not in ("", "."))
                    node = await blocks.run(resolve(cid, below)) if below else read_node(cid, root.data)
                    yield OpenDag(cid, below, node, blocks, fetched=not root.local)
                nursery.cancel_scope.cancel()

    def reader(self, opened: OpenDag, span: Span) -> DagFileReader:
        """Reads what was opened; raises `IsDirectoryError` or `NotFileError` if that is no file."""
        node = opened.node
        if not node.is_file:
            where = "/".join((str(opened.root), *opened.path))
            if not node.is_directory:
                raise NotFileError(f"{where} is a {node.type.name.lower()} by itself, not a file")
            raise IsDirectoryError(
                f"{where} is a directory, not a file", hint="'chiral ls' lists it, 'chiral get' fetches it"
            )

        async def on_whole(whole: Whole) -> None:
            if opened.was_fetched:
                await self._enter_file(whole, opened.name)

        return DagFileReader(node, opened.name, span, opened.blocks, on_whole, fetched=opened.fetched)

    async def enter_directory(self, opened: OpenDag, size: int, chunks: int) -> None:
        """Put a directory that was read whole, if any of it was fetched, into the catalogue, and have it announced."""
        if opened.was_fetched:
            record = directory_record(opened.node.cid, opened.name, size, chunks, int(self._clock.wall()))
            await enter(self._shelf.catalogue, [(record, None)])
            self._announcer.fetched(opened.node.cid)

    async def _enter_file(self, whole: Whole, name: str) -> None:
        """Put a file into the catalogue: under the Chiral root of its leaves where it has one."""
        now = int(self._clock.wall())
        node, catalogue = whole.node, self._shelf.catalogue
        known = await catalogue.by_dag_root(node.cid)
        if whole.leaves is None:
            record = dag_file_record(node.cid, name, node.file_size, whole.blocks, now)
            if known is None:
                await enter(catalogue, [(record, None)])
        else:
            info = FileInfo.of(name if known is None else known.name, node.file_size, whole.leaves, now)
            manifest = await trio.to_thread.run_sync(info.to_json)
            await enter(catalogue, [(file_record(info, node.cid, now), manifest)])
            self._announcer.fetched(info.root_cid)
        if node.cid.codec == DAG_PB:
            self._announcer.fetched(node.cid)
