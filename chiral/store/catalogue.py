"""The file catalogue in LMDB, behind the `Catalogue` port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import trio

from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import ProtocolError, StoreError
from chiral.interface.catalogue import FileQuery, FileRecord, Place
from chiral.store import block_table, file_index
from chiral.store.blockstore import DELETE_BATCH_BLOCKS
from chiral.store.chunk_users import add_user, remove_user, used_by_others
from chiral.store.environment import Environment
from chiral.store.expiry_index import expired_keys
from chiral.store.file_record import decode_record, encode_record
from chiral.store.file_search import FileSearch

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction, WriteTransaction

Entry = tuple[FileRecord, bytes | None]
_MANIFEST_INLINE_BYTES = 16 << 10
"""Read in the event loop up to here (half a millisecond); a large file's manifest would stop it for too long."""


class LmdbCatalogue:
    """The `Catalogue` of an environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables
        self._search = FileSearch(environment)

    async def put(self, record: FileRecord, manifest: bytes | None) -> None:
        """As the port says; raises `StoreError` for a manifest that is not a FileInfo."""
        await self.put_many([(record, manifest)])

    async def put_many(self, entries: Sequence[Entry]) -> None:
        size = sum(len(manifest) for _, manifest in entries if manifest is not None)
        if size > _MANIFEST_INLINE_BYTES:
            known = await trio.to_thread.run_sync(_chunks_of_all, entries)
        else:
            known = _chunks_of_all(entries)

        await self._environment.write(partial(self._put_all, entries, known), size_bytes=size)

    def _put_all(self, entries: Sequence[Entry], known: Sequence[list[bytes]], txn: WriteTransaction) -> None:
        before: dict[bytes, FileRecord] = {}
        now: dict[bytes, FileRecord] = {}
        for (record, manifest), chunks in zip(entries, known, strict=True):
            root = record.root.multihash
            if root not in now and (held := self._sound_record(root, txn)) is not None:
                before[root] = held
            self._drop_manifest(root, txn)
            if manifest is not None:
                add_user(txn, self._tables, root, chunks)
                txn.put(root, manifest, db=self._tables.manifests)
            txn.put(root, encode_record(record), db=self._tables.files)
            now[root] = record
        file_index.change_entries(txn, self._tables, list(before.values()), list(now.values()))

    async def amend(self, root: CID, change: Callable[[FileRecord], FileRecord]) -> FileRecord | None:
        def apply(txn: WriteTransaction) -> FileRecord | None:
            data = txn.get(root.multihash, db=self._tables.files)
            if data is None:
                return None
            held = decode_record(data)
            changed = change(held)
            txn.put(root.multihash, encode_record(changed), db=self._tables.files)
            file_index.change_entries(txn, self._tables, [held], [changed])
            return changed

        return await self._environment.write(apply)

    async def get(self, root: CID) -> FileRecord | None:
        return await self._environment.read(partial(self._record, root.multihash))

    async def get_many(self, roots: Sequence[CID]) -> list[FileRecord | None]:
        keys = [root.multihash for root in roots]
        return await self._environment.read(lambda txn: [self._record(key, txn) for key in keys])

    async def by_dag_root(self, dag_root: CID) -> FileRecord | None:
        def look(txn: ReadTransaction) -> FileRecord | None:
            root = file_index.root_with_dag(txn, self._tables, dag_root.multihash)
            return None if root is None else self._record(root, txn)

        return await self._environment.read(look)

    async def manifest(self, root: CID) -> bytes | None:
        return (await self.manifests([root]))[0]

    async def manifests(self, roots: Sequence[CID]) -> list[bytes | None]:
        keys = [root.multihash for root in roots]
        return await self._environment.read(lambda txn: [txn.get(key, db=self._tables.manifests) for key in keys])

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[FileRecord]:
        return await self._environment.read(partial(self._page, after, limit))

    async def search(self, query: FileQuery, after: Place | None = None, limit: int = 100) -> list[FileRecord]:
        return await self._search.run(query, after, limit)

    async def expired(self, now: float, limit: int = 1000) -> list[CID]:
        def look(txn: ReadTransaction) -> list[CID]:
            due = expired_keys(txn, self._tables.file_expiry, now, limit)
            records = (self._record(root, txn) for _, root in due)
            return [record.root for record in records if record is not None]

        return await self._environment.read(look)

    async def remove(self, root: CID, delete_blocks: list[CID]) -> bool:
        """As the port says. Blocks that a file other than `root` is made of by then stay.

        The file is gone with the first transaction; blocks past the first few hundred follow in others.
        """
        keys = [cid.multihash for cid in delete_blocks]
        forget = partial(self._forget, root.multihash, keys[:DELETE_BATCH_BLOCKS])
        if not await self._environment.write(forget, grows=False):
            return False
        for start in range(DELETE_BATCH_BLOCKS, len(keys), DELETE_BATCH_BLOCKS):
            part = keys[start : start + DELETE_BATCH_BLOCKS]
            await self._environment.write(partial(self._delete_unused, part), grows=False)
        return True

    async def chunk_users(self, root: CID, chunks: list[CID]) -> list[bool]:
        keys = [chunk.multihash for chunk in chunks]
        return await self._environment.read(lambda txn: used_by_others(txn, self._tables, root.multihash, keys))

    async def count(self) -> int:
        return await self._environment.read(lambda txn: txn.stat(self._tables.files)["entries"])

    async def dag_count(self) -> int:
        tables = self._tables
        return await self._environment.read(
            lambda txn: max(0, txn.stat(tables.files)["entries"] - txn.stat(tables.manifests)["entries"])
        )

    def _record(self, root: bytes, txn: ReadTransaction) -> FileRecord | None:
        data = txn.get(root, db=self._tables.files)
        return None if data is None else decode_record(data)

    def _page(self, after: bytes, limit: int, txn: ReadTransaction) -> list[FileRecord]:
        found: list[FileRecord] = []
        with txn.cursor(db=self._tables.files) as cursor:
            more = cursor.set_range(after) if after else cursor.first()
            if more and after and cursor.key() == after:
                more = cursor.next()
            while more and len(found) < limit:
                found.append(decode_record(cursor.value()))
                more = cursor.next()
        return found

    def _sound_record(self, root: bytes, txn: WriteTransaction) -> FileRecord | None:
        """The record under `root`; what is left of a damaged one leads nowhere, and a search passes over it."""
        data = txn.get(root, db=self._tables.files)
        try:
            return None if data is None else decode_record(data)
        except StoreError:
            return None

    def _drop_manifest(self, root: bytes, txn: WriteTransaction) -> None:
        manifest = txn.pop(root, db=self._tables.manifests)
        if manifest is not None:
            remove_user(txn, self._tables, root, _chunks(root, bytes(manifest)))

    def _forget(self, root: bytes, blocks: list[bytes], txn: WriteTransaction) -> bool:
        record = self._sound_record(root, txn)
        if not txn.delete(root, db=self._tables.files):
            return False
        file_index.change_entries(txn, self._tables, [] if record is None else [record], [])
        self._drop_manifest(root, txn)
        self._delete_unused(blocks, txn)
        return True

    def _delete_unused(self, blocks: list[bytes], txn: WriteTransaction) -> None:
        # Any user counts, the removed root too: by now it may have been added again.
        used = used_by_others(txn, self._tables, b"", blocks)
        doomed = [key for key, by_others in zip(blocks, used, strict=True) if not by_others]
        block_table.delete_blocks(txn, self._tables, doomed)


def _chunks_of_all(entries: Sequence[Entry]) -> list[list[bytes]]:
    return [[] if manifest is None else _chunks(record.root.multihash, manifest) for record, manifest in entries]


def _chunks(root: bytes, manifest: bytes) -> list[bytes]:
    """The multihashes of the chunks in a manifest."""
    try:
        return [cid.multihash for cid in FileInfo.parse(manifest).chunk_cids]
    except ProtocolError as error:
        raise StoreError(f"the manifest of {root.hex()} is not a FileInfo: {error}") from error
