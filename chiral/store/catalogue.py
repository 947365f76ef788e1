"""The file catalogue in LMDB, behind the `Catalogue` port."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import trio

from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import ProtocolError, StoreError
from chiral.interface.catalogue import FileRecord
from chiral.store import block_table
from chiral.store.blockstore import DELETE_BATCH_BLOCKS
from chiral.store.chunk_users import add_user, remove_user, used_by_others
from chiral.store.environment import Environment
from chiral.store.file_record import decode_record, encode_record

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction, WriteTransaction

_MANIFEST_INLINE_BYTES = 16 << 10
"""Read in the event loop up to here (half a millisecond); a large file's manifest would stop it for too long."""


class LmdbCatalogue:
    """The `Catalogue` of an environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables

    async def put(self, record: FileRecord, manifest: bytes) -> None:
        """As the port says; raises `StoreError` for a manifest that is not a FileInfo."""
        await self.put_many([(record, manifest)])

    async def put_many(self, entries: Sequence[tuple[FileRecord, bytes]]) -> None:
        size = sum(len(manifest) for _, manifest in entries)
        if size > _MANIFEST_INLINE_BYTES:
            known = await trio.to_thread.run_sync(_chunks_of_all, entries)
        else:
            known = _chunks_of_all(entries)

        def apply(txn: WriteTransaction) -> None:
            for (record, manifest), chunks in zip(entries, known, strict=True):
                self._put(record, manifest, chunks, txn)

        await self._environment.write(apply, size_bytes=size)

    def _put(self, record: FileRecord, manifest: bytes, chunks: list[bytes], txn: WriteTransaction) -> None:
        root = record.root.multihash
        before = txn.get(root, db=self._tables.manifests)
        if before is not None:
            remove_user(txn, self._tables, root, _chunks(root, bytes(before)))
        add_user(txn, self._tables, root, chunks)
        txn.put(root, manifest, db=self._tables.manifests)
        txn.put(root, encode_record(record), db=self._tables.files)

    async def get(self, root: CID) -> FileRecord | None:
        data = await self._environment.read(lambda txn: txn.get(root.multihash, db=self._tables.files))
        return None if data is None else decode_record(data)

    async def manifest(self, root: CID) -> bytes | None:
        return (await self.manifests([root]))[0]

    async def manifests(self, roots: Sequence[CID]) -> list[bytes | None]:
        keys = [root.multihash for root in roots]
        return await self._environment.read(lambda txn: [txn.get(key, db=self._tables.manifests) for key in keys])

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[FileRecord]:
        return await self._environment.read(partial(self._page, after, limit))

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

    def _forget(self, root: bytes, blocks: list[bytes], txn: WriteTransaction) -> bool:
        if not txn.delete(root, db=self._tables.files):
            return False
        manifest = txn.pop(root, db=self._tables.manifests)
        if manifest is not None:
            remove_user(txn, self._tables, root, _chunks(root, bytes(manifest)))
        self._delete_unused(blocks, txn)
        return True

    def _delete_unused(self, blocks: list[bytes], txn: WriteTransaction) -> None:
        # Any user counts, the removed root too: by now it may have been added again.
        used = used_by_others(txn, self._tables, b"", blocks)
        doomed = [key for key, by_others in zip(blocks, used, strict=True) if not by_others]
        block_table.delete_blocks(txn, self._tables, doomed)


def _chunks_of_all(entries: Sequence[tuple[FileRecord, bytes]]) -> list[list[bytes]]:
    return [_chunks(record.root.multihash, manifest) for record, manifest in entries]


def _chunks(root: bytes, manifest: bytes) -> list[bytes]:
    """The multihashes of the chunks in a manifest."""
    try:
        return [cid.multihash for cid in FileInfo.parse(manifest).chunk_cids]
    except ProtocolError as error:
        raise StoreError(f"the manifest of {root.hex()} is not a FileInfo: {error}") from error
