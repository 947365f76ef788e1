"""A node without a network: files and blocks in memory, faults on call, behind the surface that the API serves.

Run as a program it serves its API until SIGINT or SIGTERM: `python -m tests.fakes.node DATA_DIR`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.config.model import NodeConfig
from chiral.dag.file_name import sanitise_name
from chiral.errors import (
    ChiralError,
    FileAccessError,
    NoProvidersError,
    NotFoundError,
    PeerUnreachableError,
    UsageError,
)
from chiral.files.files import free_name
from chiral.files.results import FileAdded, FileSaved, Progress
from chiral.host.addresses import address_text, parse_address
from chiral.interface.blockstore import BlockstoreStats
from chiral.interface.catalogue import FileRecord
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.routing import ProvideResult
from chiral.interface.streams import ConnectionInfo

CHUNK_BYTES = 256 * 1024
SERVER_PEER = PeerId.parse("12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf")
OTHER_PEER = PeerId.parse("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5")
OTHER_ADDR = parse_address("/ip4/127.0.0.1/tcp/4001")


def peer_of(seed: int) -> PeerId:
    """A peer id that nobody has the key of."""
    return PeerId(b"\x12\x20" + hashlib.sha256(bytes([seed])).digest())


class FakeBlockstore:
    """Blocks in a dictionary."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, bytes] = {}

    async def get(self, cid: CID) -> bytes | None:
        return self.blocks.get(cid.multihash)

    async def get_many(self, cids: Any) -> list[bytes | None]:
        return [self.blocks.get(cid.multihash) for cid in cids]

    async def has_many(self, cids: Any) -> list[bool]:
        return [cid.multihash in self.blocks for cid in cids]

    async def size(self, cid: CID) -> int | None:
        data = self.blocks.get(cid.multihash)
        return None if data is None else len(data)

    async def put_many(self, blocks: Any) -> int:
        new = 0
        for block in blocks:
            new += block.cid.multihash not in self.blocks
            self.blocks[block.cid.multihash] = bytes(block.data)
        return new

    async def delete_many(self, cids: Any) -> int:
        return sum(self.blocks.pop(cid.multihash, None) is not None for cid in cids)

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[CID]:
        return [CID(1, 0x55, key) for key in sorted(self.blocks) if key > after][:limit]

    async def stats(self) -> BlockstoreStats:
        return BlockstoreStats(len(self.blocks), sum(map(len, self.blocks.values())))


class FakeReader:
    """Hands out the file's chunks; `fault` is raised before chunk number `fault_at`."""

    def __init__(self, files: FakeFiles, cid: CID) -> None:
        self._files = files
        self.root = cid
        self.name = files.names[cid]
        self.size = len(files.contents[cid])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        data = self._files.contents[self.root]
        for number, start in enumerate(range(0, len(data), CHUNK_BYTES)):
            await self._files.before_chunk(number)
            yield data[start : start + CHUNK_BYTES]


@dataclass(slots=True)
class FakeFiles:
    """Files in memory.

    `remote` holds what others provide. Set `fault` (with `fault_at`, a chunk number) to fail there, and `stall_at` to
    wait for ever there; `stalled` and `cancelled` tell of it. `cut` counts uploads that ended before they were whole.
    """

    contents: dict[CID, bytes] = field(default_factory=dict)
    names: dict[CID, str] = field(default_factory=dict)
    local: set[CID] = field(default_factory=set)
    fault: ChiralError | None = None
    fault_at: int = 0
    stall_at: int | None = None
    stalled: trio.Event = field(default_factory=trio.Event)
    cancelled: trio.Event = field(default_factory=trio.Event)
    cut: trio.Event = field(default_factory=trio.Event)
    largest_part: int = 0

    def hold(self, data: bytes, name: str, *, local: bool = True) -> CID:
        """Have a file, here or only with others; returns its root."""
        cid = CID.of(hashlib.sha256(data).digest())
        self.contents[cid] = data
        self.names[cid] = name
        if local:
            self.local.add(cid)
        return cid

    async def before_chunk(self, number: int) -> None:
        """Fail or wait for ever where that was asked for."""
        if self.fault is not None and number >= self.fault_at:
            raise self.fault
        if self.stall_at is not None and number >= self.stall_at:
            self.stalled.set()
            try:
                await trio.sleep_forever()
            finally:
                self.cancelled.set()
        await trio.lowlevel.checkpoint()

    async def add_path(self, path: Path, *, name: str | None = None, progress: Progress | None = None) -> FileAdded:
        try:
            data = await trio.to_thread.run_sync(path.read_bytes)
        except OSError as error:
            raise FileAccessError(f"cannot read {path}: {error.strerror}") from error
        for number, start in enumerate(range(0, len(data), CHUNK_BYTES)):
            await self.before_chunk(number)
            if progress is not None:
                progress(min(start + CHUNK_BYTES, len(data)), len(data))
        return self._added(data, name or path.name)

    async def add_stream(
        self, source: AsyncIterator[bytes], *, name: str, progress: Progress | None = None
    ) -> FileAdded:
        data = bytearray()
        number = 0
        try:
            async for part in source:
                self.largest_part = max(self.largest_part, len(part))
                data += part
                await self.before_chunk(number)
                number += 1
        except ChiralError as error:
            if error.code == "upload_cut":
                self.cut.set()
            raise
        return self._added(bytes(data), name)

    def _added(self, data: bytes, name: str) -> FileAdded:
        cid = self.hold(data, name)
        chunks = -(-len(data) // CHUNK_BYTES)
        return FileAdded(root=cid, dag_root=None, name=name, size=len(data), chunks=chunks, new_blocks=chunks)

    @asynccontextmanager
    async def open(self, cid: CID, *, timeout_s: float) -> AsyncIterator[FakeReader]:
        if cid not in self.contents:
            raise NoProvidersError(f"no providers found for {cid}", hint="is a node that holds it running?")
        yield FakeReader(self, cid)

    async def save(
        self, cid: CID, target: Path, *, overwrite: bool, timeout_s: float, progress: Progress | None = None
    ) -> FileSaved:
        async with self.open(cid, timeout_s=timeout_s) as reader:
            path = _landing(target, reader.name, overwrite)
            data = bytearray()
            async for part in reader:
                data += part
                if progress is not None:
                    progress(len(data), reader.size)
            await trio.to_thread.run_sync(path.write_bytes, bytes(data))
        return FileSaved(cid, reader.name, reader.size, str(path), 0 if cid in self.local else 1, 0.25)

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[FileRecord]:
        roots = sorted(self.local, key=lambda cid: cid.multihash)
        return [self._record(cid) for cid in roots if cid.multihash > after][:limit]

    async def record(self, cid: CID) -> FileRecord | None:
        return self._record(cid) if cid in self.local else None

    async def chunks(self, cid: CID) -> list[tuple[CID, int]]:
        data = self.contents[cid]
        parts = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
        return [(CID.of(part), len(part)) for part in parts]

    async def remove(self, cid: CID) -> FileRecord:
        if cid not in self.local:
            raise NotFoundError(f"{cid} is not a file held here")
        record = self._record(cid)
        self.local.discard(cid)
        del self.contents[cid]
        return record

    def _record(self, cid: CID) -> FileRecord:
        size = len(self.contents[cid])
        return FileRecord(cid, self.names[cid], size, -(-size // CHUNK_BYTES), 1_700_000_000, 1_700_000_001)


def _landing(target: Path, name: str, overwrite: bool) -> Path:
    path = free_name(target / sanitise_name(name)) if target.is_dir() else target
    if path.exists() and not overwrite:
        raise FileAccessError(f"{path} exists already")
    return path


@dataclass(frozen=True, slots=True)
class FakeKadStats:
    """Some figures of a DHT."""

    table_size: int = 3
    queries_done: int = 7


@dataclass(slots=True)
class FakeValues:
    """Values in a dictionary; the name space is `metadata`."""

    held: dict[bytes, bytes] = field(default_factory=dict)

    async def put(self, key: bytes, value: bytes) -> int:
        if not key.startswith(b"metadata:"):
            raise UsageError("no values are kept in that name space")
        self.held[key] = value
        return 2

    async def get(self, key: bytes, *, quorum: int, timeout_s: float) -> bytes | None:
        return self.held.get(key)


@dataclass(slots=True)
class FakeRouting:
    """A fixed list of peers, nearest first. Lookups wait for ever once `stalling`."""

    values: FakeValues = field(default_factory=FakeValues)
    peers: list[PeerInfo] = field(default_factory=lambda: [PeerInfo(OTHER_PEER, (OTHER_ADDR,)), PeerInfo(peer_of(3))])
    stalling: bool = False
    stalled: trio.Event = field(default_factory=trio.Event)
    cancelled: trio.Event = field(default_factory=trio.Event)

    async def _maybe_stall(self) -> None:
        if self.stalling:
            self.stalled.set()
            try:
                await trio.sleep_forever()
            finally:
                self.cancelled.set()

    async def find_peer(self, peer: PeerId) -> PeerInfo | None:
        await self._maybe_stall()
        return next((info for info in self.peers if info.peer == peer), None)

    async def closest_peers(self, key: bytes) -> list[PeerInfo]:
        await self._maybe_stall()
        return self.peers

    async def stats(self) -> FakeKadStats:
        return FakeKadStats()


@dataclass(slots=True)
class FakeConnections:
    """One connection; `connect` takes anybody but `unreachable`."""

    connected: list[PeerInfo] = field(default_factory=list)
    unreachable: PeerId = field(default_factory=lambda: peer_of(9))

    def connections(self) -> list[ConnectionInfo]:
        now = trio.current_time()
        return [ConnectionInfo(OTHER_PEER, OTHER_ADDR, "outbound", now, "fake/1", ("/b", "/a"), 0.0015, 2)]

    async def connect(self, info: PeerInfo) -> None:
        if info.peer == self.unreachable:
            raise PeerUnreachableError(f"no address of {info.peer} answers")
        self.connected.append(info)

    def add_addrs(self, peer: PeerId, addrs: Any, *, ttl_s: float) -> None: ...

    def addrs_of(self, peer: PeerId) -> tuple[bytes, ...]:
        return ()

    def listen_addrs(self) -> tuple[bytes, ...]:
        return (OTHER_ADDR,)

    def is_connected(self, peer: PeerId) -> bool:
        return peer == OTHER_PEER

    def protocols_of(self, peer: PeerId) -> frozenset[str]:
        return frozenset()

    async def disconnect(self, peer: PeerId) -> None: ...

    def on_identified(self, listener: Callable[[PeerId], None]) -> None: ...

    def on_disconnected(self, listener: Callable[[PeerId], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class FakeStats:
    """Some figures of a node."""

    blocks: int
    block_bytes: int
    files: int
    peers: int
    dht: FakeKadStats
    uptime_s: float = 1.5


class FakeNode:
    """A node on the surface. `async with FakeNode(config) as node` makes its data directory and nothing else."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.peer_id = SERVER_PEER
        self.files = FakeFiles()
        self.blockstore = FakeBlockstore()
        self.routing = FakeRouting()
        self.connections = FakeConnections()
        self.providers: dict[CID, list[PeerInfo]] = {}
        self.provided: list[CID] = []
        self.closed = False

    async def __aenter__(self) -> FakeNode:
        self.config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True

    async def fetch_block(self, cid: CID, timeout_s: float) -> bytes:
        data = await self.blockstore.get(cid)
        if data is None:
            raise NoProvidersError(f"no providers found for {cid}")
        return data

    async def provide(self, cid: CID) -> list[ProvideResult]:
        self.provided.append(cid)
        return [ProvideResult(cid.buffer, asked=20, stored=19)]

    async def find_providers(self, cid: CID, count: int, timeout_s: float) -> AsyncIterator[PeerInfo]:
        for info in self.providers.get(cid, [])[:count]:
            yield info

    def listen_addrs_text(self) -> list[str]:
        return [f"{address_text(OTHER_ADDR)}/p2p/{self.peer_id}"]

    async def stats(self) -> FakeStats:
        held = await self.blockstore.stats()
        return FakeStats(held.blocks, held.size_bytes, len(self.files.local), 1, await self.routing.stats())

    def stop(self) -> None: ...


def sample(node: FakeNode) -> dict[str, str]:
    """Put something of each kind into the node; returns the CIDs by what they are of."""
    block = Block.of(b"a block")
    node.blockstore.blocks[block.cid.multihash] = b"a block"
    provided = node.files.hold(b"held by another", "other.bin", local=False)
    node.providers[provided] = [PeerInfo(OTHER_PEER, (OTHER_ADDR,)), PeerInfo(peer_of(4))]
    return {
        "file": str(node.files.hold(bytes(range(256)) * 2048, "held.bin")),
        "escaping": str(node.files.hold(b"escape", "../../etc/\x1b[31mpasswd")),
        "remote": str(provided),
        "block": str(block.cid),
    }


def main() -> None:
    """Serve a fake node with samples; the first line on stdout is the ready event with the samples' CIDs."""
    from chiral.api.server import Ready, serve_node
    from chiral.log import configure

    configure("info")
    config = NodeConfig(data_dir=Path(sys.argv[1]).absolute())
    node = FakeNode(config)
    held = sample(node)
    if "--stall" in sys.argv:
        node.files.stall_at = 1

    def announce(ready: Ready) -> None:
        print(json.dumps({"event": "ready", "api": ready.api, "held": held}), flush=True)

    async def serve() -> None:
        await serve_node(config, announce, open_node=lambda _: node)

    trio.run(serve)


if __name__ == "__main__":
    main()
