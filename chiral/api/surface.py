"""What the API asks of a node, as protocols, so that it is served the same way over the real node and over a fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from chiral.block.cid import CID
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import FileRecord
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.routing import ProvideResult
from chiral.interface.streams import Connections

if TYPE_CHECKING:
    from chiral.config.model import NodeConfig
    from chiral.files.results import FileAdded, FileSaved, Progress


class ServedReader(Protocol):
    """A file being fetched: its claimed name and size, and its bytes in order, verified."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class ServedFiles(Protocol):
    """Adding, getting, listing and removing files; the errors are those of `chiral.errors`."""

    async def add_path(self, path: Path, *, name: str | None = None, progress: Progress | None = None) -> FileAdded: ...

    async def add_small(self, asked: Sequence[tuple[Path, str]]) -> list[FileAdded | None]: ...

    async def add_stream(
        self, source: AsyncIterator[bytes], *, name: str, progress: Progress | None = None
    ) -> FileAdded: ...

    def open(self, cid: CID, *, timeout_s: float) -> AbstractAsyncContextManager[ServedReader]: ...

    async def save(
        self, cid: CID, target: Path, *, overwrite: bool, timeout_s: float, progress: Progress | None = None
    ) -> FileSaved: ...

    async def page(self, after: bytes, limit: int) -> list[FileRecord]: ...

    async def record(self, cid: CID) -> FileRecord | None: ...

    async def chunks(self, cid: CID) -> list[tuple[CID, int]]: ...

    async def remove(self, cid: CID) -> FileRecord: ...


class ServedRouting(Protocol):
    """The part of the DHT that people ask for by name."""

    async def find_peer(self, peer: PeerId) -> PeerInfo | None: ...

    async def closest_peers(self, key: bytes) -> list[PeerInfo]: ...

    async def put_value(self, key: bytes, value: bytes) -> ProvideResult: ...

    async def get_value(self, key: bytes, *, quorum: int = ...) -> bytes | None: ...

    async def stats(self) -> object: ...


class ServedNode(Protocol):
    """A running node. `stats()` returns a dataclass; its fields are what `/stats` shows."""

    @property
    def config(self) -> NodeConfig: ...

    @property
    def peer_id(self) -> PeerId: ...

    @property
    def files(self) -> ServedFiles: ...

    @property
    def blockstore(self) -> Blockstore: ...

    @property
    def routing(self) -> ServedRouting: ...

    @property
    def connections(self) -> Connections: ...

    async def fetch_block(self, cid: CID, timeout_s: float) -> bytes: ...

    async def provide(self, cid: CID) -> list[ProvideResult]: ...

    def find_providers(self, cid: CID, count: int, timeout_s: float) -> AsyncIterator[PeerInfo]: ...

    def listen_addrs_text(self) -> list[str]: ...

    async def stats(self) -> object: ...
