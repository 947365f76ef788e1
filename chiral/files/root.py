"""From a CID to what it names: a file's FileInfo, or a single raw block, from here or from whoever has it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import (
    IntegrityError,
    NoProvidersError,
    NotFoundError,
    PeerLiedError,
    ProtocolError,
    RemoteError,
    sole_error,
)
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue
from chiral.interface.exchange import Exchange
from chiral.interface.peer import PeerId
from chiral.transfer.finder import Finder

logger = logging.getLogger(__name__)

_ASKED_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Root:
    """What a CID named: `info` with its JSON as `manifest`, or the `data` of one block. `peers` hold it, best first."""

    info: FileInfo | None
    manifest: bytes = b""
    data: bytes = b""
    peers: tuple[PeerId, ...] = ()
    local: bool = False


@dataclass(slots=True)
class _Search:
    """The state of one search, shared by those who ask in parallel."""

    queue: list[PeerId] = field(default_factory=list)
    seen: set[PeerId] = field(default_factory=set)
    changed: trio.Event = field(default_factory=trio.Event)
    over: bool = False
    asking: int = 0
    found: Root | None = None
    lacked: int = 0
    fault: RemoteError | None = None


class RootResolver:
    """Resolves CIDs for the use cases on files."""

    def __init__(
        self, blocks: Blockstore, catalogue: Catalogue, exchange: Exchange, finder: Finder, *, max_manifest_bytes: int
    ) -> None:
        self._blocks = blocks
        self._catalogue = catalogue
        self._exchange = exchange
        self._finder = finder
        self._max_manifest_bytes = max_manifest_bytes

    async def resolve(self, cid: CID, timeout_s: float) -> Root:
        """What `cid` names. Raises `NoProvidersError`, `NotFoundError`, `IntegrityError` or a `RemoteError`."""
        cid.require_supported()
        local = await self._local(cid)
        return local if local is not None else await self._remote(cid, timeout_s)

    async def _local(self, cid: CID) -> Root | None:
        data = await self._blocks.get(cid)
        if data is not None:
            return Root(None, data=data, local=True)
        manifest = await self._catalogue.manifest(cid)
        if manifest is not None:
            return Root(FileInfo.parse(manifest), manifest, local=True)
        return None

    async def _remote(self, cid: CID, timeout_s: float) -> Root:
        search = _Search()
        with sole_error(), trio.move_on_after(timeout_s):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._look, cid, search, timeout_s)
                for _ in range(_ASKED_AT_ONCE):
                    nursery.start_soon(self._ask_in_turn, cid, search, nursery.cancel_scope)
        if search.found is None:
            raise _not_had(cid, search)
        others = [peer for peer in search.seen if peer not in search.found.peers]
        return Root(search.found.info, search.found.manifest, search.found.data, (*search.found.peers, *others))

    async def _look(self, cid: CID, search: _Search, timeout_s: float) -> None:
        def found(peer: PeerId) -> None:
            if peer not in search.seen:
                search.seen.add(peer)
                search.queue.append(peer)
                search.changed.set()

        await self._finder.find(cid, found, count=20, timeout_s=timeout_s)
        search.over = True
        search.changed.set()

    async def _ask_in_turn(self, cid: CID, search: _Search, others: trio.CancelScope) -> None:
        """Ask candidates one after another until one has it or none is left."""
        while True:
            while not search.queue:
                if search.over:
                    return
                search.changed = trio.Event() if search.changed.is_set() else search.changed
                await search.changed.wait()
            peer = search.queue.pop(0)
            try:
                search.found = await self._ask(cid, peer)
            except RemoteError as error:
                logger.debug("%s from %s: %s", cid, peer.short, error)
                search.fault = error
                continue
            if search.found is not None:
                others.cancel()
                return
            search.lacked += 1

    async def _ask(self, cid: CID, peer: PeerId) -> Root | None:
        data = await self._exchange.fetch(peer, cid, limit_bytes=self._max_manifest_bytes)
        if data is None:
            return None
        if len(data) <= self._max_manifest_bytes and await trio.to_thread.run_sync(cid.matches, data):
            raw = bytes(data)
            await self._blocks.put_many([Block(cid, raw)])
            return Root(None, data=raw, peers=(peer,))
        info = _manifest_of(cid, bytes(data), peer)
        return Root(info, bytes(data), peers=(peer,))


def _manifest_of(cid: CID, data: bytes, peer: PeerId) -> FileInfo:
    """The FileInfo in `data` if it is that of root `cid`; raises `PeerLiedError`."""
    try:
        info = FileInfo.parse(data)
    except ProtocolError as error:
        raise PeerLiedError(
            f"{peer} answered for {cid} with bytes that are neither the block nor a FileInfo"
        ) from error
    if not info.verify(cid):
        raise PeerLiedError(f"{peer} answered for {cid} with the FileInfo of another file")
    return info


def _not_had(cid: CID, search: _Search) -> Exception:
    if not search.seen:
        return NoProvidersError(
            f"no providers found for {cid}",
            hint="is a node that holds it running, and does this one know its swarm? see 'chiral peers'",
        )
    if isinstance(search.fault, PeerLiedError):
        return IntegrityError(search.fault.message)
    if search.fault is not None:
        fault = search.fault
        return type(fault)(f"{cid} could not be had from any of {len(search.seen)} providers: {fault.message}")
    return NotFoundError(f"{len(search.seen)} peers were asked for {cid} and none holds it")
