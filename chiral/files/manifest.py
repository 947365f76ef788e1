"""Reading manifests: the FileInfo this node holds under a root, and one that a peer answered with."""

from __future__ import annotations

import trio

from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import IntegrityError, PeerLiedError, ProtocolError
from chiral.interface.peer import PeerId

_READ_INLINE_BYTES = 4096
"""Some twenty chunks, read in less time than a thread's turn takes."""


async def read_held(root: CID, manifest: bytes) -> FileInfo:
    """The FileInfo that the catalogue holds under `root`, a large one read in a thread; raises `IntegrityError`."""
    try:
        if len(manifest) <= _READ_INLINE_BYTES:
            return FileInfo.parse(manifest)
        return await trio.to_thread.run_sync(FileInfo.parse, manifest)
    except ProtocolError as error:
        raise IntegrityError(
            f"the manifest of {root} is damaged in the local store", hint="remove the file and get it again"
        ) from error


async def read_received(root: CID, data: bytes, peer: PeerId) -> FileInfo:
    """The FileInfo in what `peer` answered for `root`, its root recomputed in a thread.

    Raises `PeerLiedError` if it is none or another file's, `InvalidCidError` if the file has blocks that nobody here
    can verify.
    """
    return await trio.to_thread.run_sync(_read_received, root, data, peer)


def _read_received(root: CID, data: bytes, peer: PeerId) -> FileInfo:
    try:
        info = FileInfo.parse(data)
    except ProtocolError as error:
        raise PeerLiedError(
            f"{peer} answered for {root} with bytes that are neither the block nor a FileInfo"
        ) from error
    if not info.verify(root):
        raise PeerLiedError(f"{peer} answered for {root} with the FileInfo of another file")
    for cid in info.chunk_cids:
        cid.require_supported()
    return info
