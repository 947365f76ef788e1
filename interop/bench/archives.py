"""Archives taken in and written by a running node, beside a plain copy of the same file through SHA-256."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.car.writer import encode_header, section
from chiral.cli.client import Client, client_for
from chiral.dag.dag_pb import decode_node
from chiral.dag.dag_profile import DEFAULT_PROFILE, leaf
from chiral.dag.file_layout import file_layout
from interop.bench import filling
from interop.bench.archive_works import AGAIN, COPY, EXPORT, IMPORT, SIZE_BYTES
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import Run
from interop.bench.timed import GET_S
from interop.bench.usage import settled
from interop.bench.work import MIB_BYTES, PYTHON, TMPFS, Sample
from interop.child import PeerError
from interop.python_peer import PythonPeer, open_python_peer

_CHUNK_BYTES = 256 << 10
_COPY_BYTES = 1 << 20


async def measure(run: Run) -> None:
    """A new archive each round: copied, taken in, taken in again, written."""
    folder = run.folder(TMPFS, "archives")
    async with open_python_peer(folder, (), ()) as node:
        bench = _Bench(node, folder)
        await take_turns(run, [Turn("archives", bench.play)])


class _Bench:
    """One node, called over its Unix socket as the command line does."""

    def __init__(self, node: PythonPeer, folder: Path) -> None:
        self._pid = node.pid
        self._client: Client = client_for(node.data)
        self._source, self._copy = folder / "source.car", folder / "copy.car"

    async def play(self, number: int) -> Sequence[Sample]:
        try:
            root, digest = await trio.to_thread.run_sync(_write, self._source, f"archives {number}")
            copied = await self._timed(partial(_copy, self._source, self._copy))
            self._copy.unlink()
            taken = await self._timed(self._import)
            again = await self._timed(self._import)
            given = await self._timed(partial(self._export, root))
            if (await trio.to_thread.run_sync(filling.timed_sha256_of, self._copy))[1] != digest:
                raise PeerError("the archive written is not the one taken in")
        finally:
            for path in (self._source, self._copy):
                path.unlink(missing_ok=True)
        return [
            Sample(IMPORT, COPY, _rate(copied)),
            Sample(IMPORT, PYTHON, _rate(taken)),
            Sample(EXPORT, COPY, _rate(copied)),
            Sample(EXPORT, PYTHON, _rate(given)),
            Sample(AGAIN, PYTHON, _rate(again)),
        ]

    async def _timed(self, call: Callable[[], object]) -> float:
        await settled([self._pid])
        started = time.perf_counter()
        await trio.to_thread.run_sync(call, abandon_on_cancel=True)
        return time.perf_counter() - started

    def _import(self) -> Any:
        body = {"path": str(self._source), "name": "archive"}
        return self._client.lines("POST", "/dag/import", body=body, timeout_s=GET_S)

    def _export(self, root: str) -> Any:
        body = {"path": str(self._copy), "offline": True}
        return self._client.lines("POST", f"/dag/export/{root}", body=body, timeout_s=GET_S)


def _rate(seconds: float) -> float:
    return SIZE_BYTES / MIB_BYTES / seconds


def _copy(source: Path, target: Path) -> str:
    hasher = hashlib.sha256()
    with source.open("rb", buffering=0) as reading, target.open("wb", buffering=0) as writing:
        while piece := reading.read(_COPY_BYTES):
            hasher.update(piece)
            writing.write(piece)
    return hasher.hexdigest()


def _write(path: Path, seed: str) -> tuple[str, str]:
    """Write an archive of a file as Kubo writes it; its root and SHA-256."""
    blocks: dict[CID, Block] = {}
    layout = file_layout(DEFAULT_PROFILE)
    for chunk in _chunks(seed):
        block, child = leaf(DEFAULT_PROFILE, chunk)
        blocks.update((made.cid, made) for made in (block, *layout.add(child)))
    nodes, root = layout.finish()
    blocks.update((made.cid, made) for made in nodes)
    hasher = hashlib.sha256()
    with path.open("wb") as file:
        for piece in (encode_header([root.cid]), *_sections(blocks, root.cid)):
            file.write(piece)
            hasher.update(piece)
    return str(root.cid), hasher.hexdigest()


def _chunks(seed: str) -> Iterator[bytes]:
    for piece in filling.random_pieces(SIZE_BYTES, seed):
        yield from (piece[at : at + _CHUNK_BYTES] for at in range(0, len(piece), _CHUNK_BYTES))


def _sections(blocks: Mapping[CID, Block], cid: CID) -> Iterator[bytes | bytearray | memoryview]:
    """Depth first; no block is there twice."""
    yield from section(blocks[cid])
    if cid.codec == DAG_PB:
        for link in decode_node(blocks[cid].data).links:
            yield from _sections(blocks, link.cid)
