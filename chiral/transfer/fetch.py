"""The driver of a session: sends the requests it decides on, verifies and stores what comes, tells the reader."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.errors import IntegrityError, NotFoundError, RemoteError, sole_error
from chiral.events.bus import EventBus
from chiral.events.types import BlockReceived
from chiral.interface.blockstore import Blockstore
from chiral.interface.exchange import Exchange
from chiral.interface.peer import PeerId
from chiral.transfer.finder import Finder
from chiral.transfer.session import Failure, Session
from chiral.transfer.settings import TransferSettings
from chiral.transfer.verifier import verify_and_store

logger = logging.getLogger(__name__)

_STORE_BATCH_BLOCKS = 32
_SEARCH_S = 30.0


class BlockFetch:
    """Brings the blocks of one file from several peers. `run` is its life; `take` hands the reader what has come."""

    def __init__(
        self,
        cids: Sequence[CID],
        wanted: Iterable[int],
        *,
        exchange: Exchange,
        store: Blockstore,
        finder: Finder,
        root: CID,
        clock: Clock,
        bus: EventBus,
        settings: TransferSettings,
        max_block_bytes: int,
    ) -> None:
        self._cids = cids
        self._exchange = exchange
        self._store = store
        self._finder = finder
        self._root = root
        self._clock = clock
        self._bus = bus
        self._settings = settings
        self._max_block_bytes = max_block_bytes
        self._session: Session[PeerId] = Session(
            wanted,
            max_window=settings.max_in_flight,
            lookahead=settings.lookahead,
            retry_s=settings.retry_s,
            max_failures=settings.max_failures,
        )
        self._missing = set(wanted)
        self._fetched: list[tuple[PeerId, int, memoryview]] = []
        self._ready: dict[int, memoryview] = {}
        self._changed = trio.Event()
        self._fetched_some = trio.Event()
        self._arrived = trio.Event()
        self._searched: set[CID] = set()
        self._last_fault: RemoteError | None = None
        self.progressed_at = clock.monotonic()
        self.awaited = False
        """Whether the reader is waiting for a block now."""
        self.finished = trio.Event()
        """Set by the owner once everything is here and recorded."""

    @property
    def providers(self) -> int:
        """How many peers have brought blocks so far."""
        return sum(1 for state in self._session.peers.values() if state.served_bytes)

    def add_peer(self, peer: PeerId) -> None:
        """Ask `peer` too, within the limit of peers a session asks at once."""
        if len(self._session.usable()) < self._settings.max_providers:
            self._session.add_peer(peer, self._clock.monotonic())
            self._wake()

    def wants(self, index: int) -> bool:
        """Whether block `index` was missing at the start, so that `take` will have it once it has come."""
        return index in self._missing

    async def take(self, index: int, most: int) -> list[memoryview]:
        """Blocks `index`, `index + 1` and so on, up to `most` of those that have come, at least the first of them.

        They are verified and stored. The look-ahead moves on from here.
        """
        self._session.position = index
        self._wake()
        self.awaited = True
        while index not in self._ready:
            self._arrived = trio.Event()
            await self._arrived.wait()
        self.awaited = False
        taken: list[memoryview] = []
        while len(taken) < most and (data := self._ready.pop(index + len(taken), None)) is not None:
            taken.append(data)
        return taken

    async def run(self) -> None:
        """Fetch until nothing is wanted.

        Raises `NotFoundError`, `IntegrityError` or a `RemoteError` when nobody is left to ask, `StoreError` for a fault
        of this machine.
        """
        with sole_error():
            await self._run()

    async def _run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_storing)
            while not self._session.done:
                now = self._clock.monotonic()
                for peer, index in self._session.next_requests(now):
                    nursery.start_soon(self._request, peer, index)
                if self._session.stuck() and not await self._search():
                    raise self._nobody_left()
                await self._until_changed(self._session.wake_at(now))
            nursery.cancel_scope.cancel()

    async def _until_changed(self, wake_at: float | None) -> None:
        with trio.CancelScope() as rest:
            if wake_at is not None:
                rest.deadline = wake_at
            await self._changed.wait()
        if self._changed.is_set():
            self._changed = trio.Event()

    def _wake(self) -> None:
        self._changed.set()

    async def _request(self, peer: PeerId, index: int) -> None:
        cid = self._cids[index]
        try:
            data = await self._exchange.fetch(peer, cid, limit_bytes=self._max_block_bytes)
        except RemoteError as error:
            self._last_fault = error
            logger.debug("block %d from %s: %s", index, peer.short, error)
            self._session.failed(peer, index, Failure.FAULT, self._clock.monotonic())
        else:
            if data is None:
                self._session.failed(peer, index, Failure.LACKED, self._clock.monotonic())
            else:
                self._fetched.append((peer, index, data))
                self._fetched_some.set()
        self._wake()

    async def _keep_storing(self) -> None:
        """Verify and store what has come, as many at once as have gathered while the last batch was written."""
        while True:
            while not self._fetched:
                self._fetched_some = trio.Event()
                await self._fetched_some.wait()
            batch, self._fetched = self._fetched[:_STORE_BATCH_BLOCKS], self._fetched[_STORE_BATCH_BLOCKS:]
            blocks = [Block(self._cids[index], data) for _, index, data in batch]
            verdicts = await verify_and_store(blocks, self._store)
            self._settle(batch, verdicts)

    def _settle(self, batch: list[tuple[PeerId, int, memoryview]], verdicts: list[bool]) -> None:
        now = self._clock.monotonic()
        for (peer, index, data), sound in zip(batch, verdicts, strict=True):
            if sound:
                self._session.received(peer, index, len(data), now)
                self._ready[index] = data
                self._bus.publish(BlockReceived(peer, self._cids[index], len(data)))
                self.progressed_at = now
            else:
                logger.warning("%s answered with other bytes than %s names", peer, self._cids[index])
                self._session.failed(peer, index, Failure.LIED, now)
        self._arrived.set()
        self._wake()

    async def _search(self) -> bool:
        """Look for more peers: those that provide the root, then those that provide the block that is stuck."""
        first = self._session.first_missing()
        assert first is not None, "a session that is stuck wants something"
        for cid in (self._root, self._cids[first]):
            if cid in self._searched:
                continue
            self._searched.add(cid)
            known = len(self._session.peers)
            await self._finder.find(cid, self.add_peer, count=self._settings.max_providers, timeout_s=_SEARCH_S)
            if len(self._session.peers) > known:
                return True
        return False

    def _nobody_left(self) -> Exception:
        left = f"{self._session.wanting} of {len(self._cids)} blocks of {self._root} could not be had"
        if any(state.gone and state.failures == 0 for state in self._session.peers.values()):
            return IntegrityError(f"{left}: a provider answered with other bytes than the CIDs name")
        if self._last_fault is not None:
            return type(self._last_fault)(f"{left}: {self._last_fault.message}")
        return NotFoundError(f"{left}: no provider holds them")
