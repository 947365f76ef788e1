"""Gives a file that is known by its flat Chiral root a DAG, so that an archive can hold it.

The FileInfo under a Chiral root does not hash to that root, so it can be no block of an archive. The chunks are leaves
of the balanced layout as they are; only the nodes over them are made, and stored.
"""

from __future__ import annotations

from chiral.block.cid import CID
from chiral.dag.dag_profile import DEFAULT_PROFILE, DagChild
from chiral.dag.file_info import FileInfo
from chiral.dag.file_layout import file_layout
from chiral.errors import NotFoundError
from chiral.files.archive_blocks import BlockSource
from chiral.interface.blockstore import Blockstore

_CHUNKS_AT_ONCE = 64


async def dag_root_of(info: FileInfo, store: Blockstore, source: BlockSource) -> CID:
    """The root of the UnixFS DAG over the file's chunks, its nodes stored.

    A node names the sizes of what is below it, so chunks that are not here are had from `source`. Raises
    `NotFoundError` for one that is not to be had, and what `source` raises.
    """
    layout = file_layout(DEFAULT_PROFILE)
    for start in range(0, len(info.chunk_cids), _CHUNKS_AT_ONCE):
        cids = info.chunk_cids[start : start + _CHUNKS_AT_ONCE]
        for cid, size in zip(cids, await _sizes(cids, store, source), strict=True):
            if made := layout.add(DagChild(cid, size, size)):
                await store.put_many(made)
    made, root = layout.finish()
    await store.put_many(made)
    return root.cid


async def _sizes(cids: tuple[CID, ...], store: Blockstore, source: BlockSource) -> list[int]:
    sizes = await store.sizes(cids)
    if None in sizes:
        loaded = await source.load(cids)
        lacking = sum(block is None for block in loaded)
        if lacking:
            first = next(cid for cid, block in zip(cids, loaded, strict=True) if block is None)
            raise NotFoundError(f"{lacking} blocks of the file are not here: {first} is the first")
        sizes = [len(block.data) for block in loaded if block is not None]
    return [size or 0 for size in sizes]
