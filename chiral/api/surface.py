"""What the API asks of a node, as protocols, so that it is served the same way over the real node and over a fake."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from chiral.block.cid import CID
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import FileRecord
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.providers import FoundProvider
from chiral.interface.routing import ProvideResult
from chiral.interface.streams import Connections
from chiral.interface.values import RecordFound, RecordPut

if TYPE_CHECKING:
    from chiral.config.model import NodeConfig
    from chiral.files.add_options import AddOptions, TreeOptions
    from chiral.files.archives import Archives
    from chiral.files.library import Library
    from chiral.files.results import EntryFound, FileAdded, FileSaved, Progress, TreeAdded
    from chiral.files.span import Span
    from chiral.kad.quorum import Quorum
    from chiral.pinning.cleaning import Cleaner
    from chiral.pinning.collector import Collector
    from chiral.pinning.pinner import Pinner
    from chiral.routing.census import TablePeer
    from chiral.routing.joining import BootstrapReport
    from chiral.routing.stats import KadStats
    from chiral.store.upkeep import Upkeep


class ServedReader(Protocol):
    """A file being fetched, or the part of it from `start` to before `stop`: its claimed name and size, and its bytes
    in order, verified."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def start(self) -> int: ...

    @property
    def stop(self) -> int: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class ServedFiles(Protocol):
    """Adding, getting, listing and removing files; the errors are those of `chiral.errors`."""

    async def add_path(
        self, path: Path, *, name: str | None = None, progress: Progress | None = None, options: AddOptions = ...
    ) -> FileAdded: ...

    async def add_small(
        self, asked: Sequence[tuple[Path, str]], *, options: AddOptions = ...
    ) -> list[FileAdded | None]: ...

    async def add_stream(
        self,
        source: AsyncIterator[bytes],
        *,
        name: str,
        progress: Progress | None = None,
        options: AddOptions = ...,
    ) -> FileAdded: ...

    async def add_tree(
        self, path: Path, *, name: str | None = None, options: TreeOptions, progress: Progress | None = None
    ) -> TreeAdded: ...

    def open(
        self, cid: CID, *, timeout_s: float, path: Sequence[str] = (), span: Span = ...
    ) -> AbstractAsyncContextManager[ServedReader]: ...

    def listing(
        self, cid: CID, *, timeout_s: float, path: Sequence[str] = ()
    ) -> AbstractAsyncContextManager[AsyncIterator[EntryFound]]: ...

    async def save(
        self,
        cid: CID,
        target: Path,
        *,
        overwrite: bool,
        timeout_s: float,
        progress: Progress | None = None,
        path: Sequence[str] = (),
        unsafe_links: bool = False,
    ) -> FileSaved: ...

    async def page(self, after: bytes, limit: int) -> list[FileRecord]: ...

    async def record(self, cid: CID) -> FileRecord | None: ...

    async def chunks(self, cid: CID) -> list[tuple[CID, int]]: ...

    async def remove(self, cid: CID) -> FileRecord: ...


class ServedRouting(Protocol):
    """The part of the DHT that people ask for by name."""

    async def bootstrap(self, peers: Sequence[PeerInfo]) -> BootstrapReport: ...

    async def find_peer(self, peer: PeerId) -> PeerInfo | None: ...

    async def closest_peers(self, key: bytes) -> list[PeerInfo]: ...

    async def put_record(self, key: bytes, value: bytes, *, quorum: Quorum = ...) -> RecordPut: ...

    async def get_record(self, key: bytes, *, quorum: Quorum = ...) -> RecordFound | None: ...

    async def stats(self) -> KadStats: ...

    def table(self) -> Sequence[TablePeer]: ...


class ServedNode(Protocol):
    """A running node. `stats()` returns a dataclass; its fields are what `/stats` shows."""

    @property
    def config(self) -> NodeConfig: ...

    @property
    def peer_id(self) -> PeerId: ...

    @property
    def files(self) -> ServedFiles: ...

    @property
    def library(self) -> Library: ...

    @property
    def archives(self) -> Archives: ...

    @property
    def blockstore(self) -> Blockstore: ...

    @property
    def upkeep(self) -> Upkeep: ...

    @property
    def pinner(self) -> Pinner: ...

    @property
    def collector(self) -> Collector: ...

    @property
    def cleaner(self) -> Cleaner: ...

    @property
    def routing(self) -> ServedRouting: ...

    @property
    def connections(self) -> Connections: ...

    async def fetch_block(self, cid: CID, timeout_s: float) -> bytes: ...

    async def provide(self, cid: CID) -> list[ProvideResult]: ...

    async def stop_providing(self, cid: CID) -> None: ...

    def find_provider_records(self, cid: CID, count: int, timeout_s: float) -> AsyncGenerator[FoundProvider, None]: ...

    def listen_addrs_text(self) -> list[str]: ...

    async def stats(self) -> object: ...
