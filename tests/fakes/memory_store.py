"""The ports of the store in memory: fakes of `Blockstore`, `Catalogue` and `Datastore` for tests of their users.

They keep the promises of the ports (the contract suites run on them too), wait for nothing but a checkpoint, and can be
told to fail. Provider and value records have theirs in `records`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import ProtocolError, StoreError
from chiral.interface.blockstore import BlockstoreStats
from chiral.interface.catalogue import FileQuery, FileRecord, Place


class MemoryBlockstore:
    """Blocks in a dictionary. While `fault` is set, every `put_many` raises it and stores nothing."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, tuple[int, bytes]] = {}
        self.fault: StoreError | None = None

    async def get(self, cid: CID) -> bytes | None:
        await trio.lowlevel.checkpoint()
        return self.get_now(cid)

    def get_now(self, cid: CID) -> bytes | None:
        """The block's bytes without waiting, or None."""
        held = self._blocks.get(cid.multihash)
        return None if held is None else held[1]

    async def get_many(self, cids: Sequence[CID]) -> list[bytes | None]:
        await trio.lowlevel.checkpoint()
        return [self.get_now(cid) for cid in cids]

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        await trio.lowlevel.checkpoint()
        return [cid.multihash in self._blocks for cid in cids]

    async def size(self, cid: CID) -> int | None:
        await trio.lowlevel.checkpoint()
        data = self.get_now(cid)
        return None if data is None else len(data)

    async def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        return [None if data is None else len(data) for data in await self.get_many(cids)]

    async def put_many(self, blocks: Iterable[Block]) -> int:
        await trio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault
        before = len(self._blocks)
        for block in blocks:
            self._blocks.setdefault(block.cid.multihash, (block.cid.codec, bytes(block.data)))
        return len(self._blocks) - before

    async def delete_many(self, cids: Iterable[CID]) -> int:
        await trio.lowlevel.checkpoint()
        return sum(self.forget(cid) for cid in cids)

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[CID]:
        await trio.lowlevel.checkpoint()
        keys = sorted(key for key in self._blocks if key > after)[:limit]
        return [CID(1, self._blocks[key][0], key) for key in keys]

    async def stats(self) -> BlockstoreStats:
        await trio.lowlevel.checkpoint()
        return BlockstoreStats(len(self._blocks), sum(len(data) for _, data in self._blocks.values()))

    def forget(self, cid: CID) -> bool:
        """Drop the block; whether it was held."""
        return self._blocks.pop(cid.multihash, None) is not None


class MemoryCatalogue:
    """Files in a dictionary, over a `MemoryBlockstore` whose blocks `remove` deletes."""

    def __init__(self, blocks: MemoryBlockstore) -> None:
        self._blocks = blocks
        self._files: dict[bytes, tuple[FileRecord, bytes | None, set[bytes]]] = {}

    async def put(self, record: FileRecord, manifest: bytes | None) -> None:
        await trio.lowlevel.checkpoint()
        chunks: set[bytes] = set()
        if manifest is not None:
            try:
                chunks = {cid.multihash for cid in FileInfo.parse(manifest).chunk_cids}
            except ProtocolError as error:
                raise StoreError(f"the manifest is not a FileInfo: {error}") from error
        self._files[record.root.multihash] = (record, manifest, chunks)

    async def put_many(self, entries: Sequence[tuple[FileRecord, bytes | None]]) -> None:
        before = dict(self._files)
        try:
            for record, manifest in entries:
                await self.put(record, manifest)
        except BaseException:
            self._files = before
            raise

    async def amend(self, root: CID, change: Callable[[FileRecord], FileRecord]) -> FileRecord | None:
        await trio.lowlevel.checkpoint()
        held = self._files.get(root.multihash)
        if held is None:
            return None
        changed = change(held[0])
        self._files[root.multihash] = (changed, *held[1:])
        return changed

    async def get_many(self, roots: Sequence[CID]) -> list[FileRecord | None]:
        return [await self.get(root) for root in roots]

    async def by_dag_root(self, dag_root: CID) -> FileRecord | None:
        await trio.lowlevel.checkpoint()
        found = [record for record, _, _ in self._files.values() if _same(record.dag_root, dag_root)]
        return min(found, key=lambda record: (_same(record.root, dag_root), record.root.multihash), default=None)

    async def search(self, query: FileQuery, after: Place | None = None, limit: int = 100) -> list[FileRecord]:
        await trio.lowlevel.checkpoint()
        order = sorted((record for record, _, _ in self._files.values()), key=lambda record: _order(record.place))
        behind = () if after is None else _order(after)
        return [record for record in order if _order(record.place) > behind and _fits(record, query)][:limit]

    async def expired(self, now: float, limit: int = 1000) -> list[CID]:
        await trio.lowlevel.checkpoint()
        due = [(r.expires_at, r.root) for r, _, _ in self._files.values() if r.expires_at is not None]
        return [root for at, root in sorted(due, key=lambda item: (item[0], item[1].multihash)) if at <= now][:limit]

    async def get(self, root: CID) -> FileRecord | None:
        await trio.lowlevel.checkpoint()
        held = self._files.get(root.multihash)
        return None if held is None else held[0]

    async def manifest(self, root: CID) -> bytes | None:
        await trio.lowlevel.checkpoint()
        held = self._files.get(root.multihash)
        return None if held is None else held[1]

    async def manifests(self, roots: Sequence[CID]) -> list[bytes | None]:
        return [await self.manifest(root) for root in roots]

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[FileRecord]:
        await trio.lowlevel.checkpoint()
        return [self._files[key][0] for key in sorted(key for key in self._files if key > after)[:limit]]

    async def remove(self, root: CID, delete_blocks: list[CID]) -> bool:
        await trio.lowlevel.checkpoint()
        if self._files.pop(root.multihash, None) is None:
            return False
        for cid in delete_blocks:
            if not self._used_by_others(root, cid):
                self._blocks.forget(cid)
        return True

    async def chunk_users(self, root: CID, chunks: list[CID]) -> list[bool]:
        await trio.lowlevel.checkpoint()
        return [self._used_by_others(root, chunk) for chunk in chunks]

    async def count(self) -> int:
        await trio.lowlevel.checkpoint()
        return len(self._files)

    async def dag_count(self) -> int:
        await trio.lowlevel.checkpoint()
        return sum(manifest is None for _, manifest, _ in self._files.values())

    def _used_by_others(self, root: CID, chunk: CID) -> bool:
        return any(key != root.multihash and chunk.multihash in held[2] for key, held in self._files.items())


def _same(one: CID | None, other: CID) -> bool:
    return one is not None and one.multihash == other.multihash


def _order(place: Place) -> tuple[int, bytes]:
    return -place[0], place[1].multihash


def _fits(record: FileRecord, query: FileQuery) -> bool:
    names = "\n".join((record.name, *record.other_names)).casefold()
    kind, slash, _ = query.mime.partition("/")
    whole = bool(slash) and not query.mime.endswith("/*")
    return (
        all(word.casefold() in names for word in query.text.split())
        and (not query.mime or (record.mime == query.mime if whole else record.mime.startswith(kind + "/")))
        and set(query.tags) <= set(record.tags)
        and query.kind in (None, record.kind)
        and (query.larger is None or record.size >= query.larger)
        and (query.smaller is None or record.size <= query.smaller)
        and (query.since is None or record.added_at >= query.since)
        and (query.before is None or record.added_at < query.before)
    )


class MemoryDatastore:
    """Tables in a dictionary."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[bytes, bytes]] = {}

    async def get(self, table: str, key: bytes) -> bytes | None:
        await trio.lowlevel.checkpoint()
        return self._tables.get(table, {}).get(key)

    async def put_many(self, table: str, items: Mapping[bytes, bytes | None]) -> None:
        await trio.lowlevel.checkpoint()
        held = self._tables.setdefault(table, {})
        for key, value in items.items():
            if value is None:
                held.pop(key, None)
            else:
                held[key] = value

    async def page(
        self, table: str, prefix: bytes = b"", after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        await trio.lowlevel.checkpoint()
        items = sorted(self._tables.get(table, {}).items())
        return [(key, value) for key, value in items if key.startswith(prefix) and (not after or key > after)][:limit]
