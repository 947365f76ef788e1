"""The driver of a session: sends the requests it decides on, takes in what comes, hands it to the reader in order."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.errors import IntegrityError, NotFoundError, RemoteError, RequestTimeoutError, sole_error
from chiral.interface.peer import PeerId
from chiral.transfer.finder import Candidate
from chiral.transfer.intake import Arrival, Intake
from chiral.transfer.session import Failure, Session
from chiral.transfer.settings import TransferSettings
from chiral.transfer.swarm import Swarm

logger = logging.getLogger(__name__)

_Landed = tuple[PeerId, int, memoryview]
_BATCH_BLOCKS = 32
_BATCHES_AT_ONCE = 2
"""One is hashed while the one before it is written."""
_WORTH_A_SEARCH_BLOCKS = 16
"""A fetch of more blocks looks for more providers from the start."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Blocks of the file `root` to bring: `missing` indices of `cids`, each CID once, of about `block_bytes` each."""

    root: CID
    cids: Sequence[CID]
    missing: Sequence[int]
    block_bytes: int


class BlockFetcher:
    """Makes the fetches of one node: holds what they share."""

    def __init__(self, swarm: Swarm, intake: Intake, settings: TransferSettings, clock: Clock) -> None:
        self._swarm = swarm
        self._intake = intake
        self._settings = settings
        self._clock = clock

    def fetch(self, wanted: Wanted, candidates: Iterable[Candidate], *, stall_s: float) -> BlockFetch:
        """A fetch of `wanted` that asks `candidates` first and lets its reader wait `stall_s` without progress."""
        fetch = BlockFetch(wanted, self._swarm, self._intake, self._settings, self._clock, stall_s)
        for candidate in candidates:
            fetch.add_peer(candidate)
        return fetch


class BlockFetch:
    """Brings the blocks of one file from several peers. `run` is its life; `take` hands the reader what has come."""

    def __init__(
        self, wanted: Wanted, swarm: Swarm, intake: Intake, settings: TransferSettings, clock: Clock, stall_s: float
    ) -> None:
        self._wanted = wanted
        self._swarm = swarm
        self._intake = intake
        self._settings = settings
        self._clock = clock
        self._stall_s = stall_s
        self._session: Session[PeerId] = Session(wanted.missing, settings, block_bytes=wanted.block_bytes)
        self._missing = frozenset(wanted.missing)
        self._ready: dict[int, memoryview] = {}
        self._changed = trio.Event()
        self._arrived = trio.Event()
        self._searched: set[CID] = set()
        self._searching = False
        self._last_fault: RemoteError | None = None
        self._progressed_at = clock.monotonic()

    @property
    def providers(self) -> int:
        """How many peers have brought blocks so far."""
        return sum(1 for state in self._session.peers.values() if state.served_bytes)

    @property
    def ready(self) -> int:
        """How many blocks are here and wait for the reader: never more than the look-ahead."""
        return len(self._ready)

    def add_peer(self, candidate: Candidate) -> None:
        """Ask `candidate` too, within the limit of peers a session asks at once."""
        if self._session.add_peer(candidate.peer, self._clock.monotonic(), claims=candidate.claims):
            self._changed.set()

    def wants(self, index: int) -> bool:
        """Whether block `index` was missing at the start, so that `take` will have it once it has come."""
        return index in self._missing

    async def take(self, index: int, most: int) -> list[memoryview]:
        """Blocks `index`, `index + 1` and so on, up to `most` of those that have come, at least the first of them.

        They are verified and stored. The look-ahead moves on from here. For one reader, which goes forward only.
        Raises `RequestTimeoutError` when it has waited `stall_s` seconds in which nothing came.
        """
        self._move_to(index)
        await trio.lowlevel.checkpoint()
        since = self._clock.monotonic()
        while index not in self._ready:
            self._arrived = trio.Event()
            with trio.CancelScope(deadline=max(since, self._progressed_at) + self._stall_s) as patience:
                await self._arrived.wait()
            if patience.cancelled_caught and self._clock.monotonic() >= self._progressed_at + self._stall_s:
                raise self._stalled()
        taken: list[memoryview] = []
        while len(taken) < most and (data := self._ready.pop(index + len(taken), None)) is not None:
            taken.append(data)
        self._move_to(index + len(taken))
        return taken

    def _move_to(self, index: int) -> None:
        self._session.position = index
        self._changed.set()

    async def run(self) -> None:
        """Fetch until nothing is wanted.

        Raises `NotFoundError`, `IntegrityError` or a `RemoteError` when nobody is left to ask, `LocalError` for a fault
        of this machine.
        """
        with sole_error():
            await self._run()

    async def _run(self) -> None:
        # Blocks that have landed and are not settled lie within the look-ahead, so there is room for each.
        send, landed = trio.open_memory_channel[_Landed](self._settings.lookahead)
        async with send, landed, trio.open_nursery() as nursery:
            for _ in range(_BATCHES_AT_ONCE):
                nursery.start_soon(self._take_in, landed)
            if self._session.wanting > _WORTH_A_SEARCH_BLOCKS:
                self._look_further(nursery, self._wanted.root)
            while not self._session.done:
                now = self._clock.monotonic()
                for peer, index in self._session.next_requests(now):
                    nursery.start_soon(self._request, peer, index, send)
                if self._session.stuck() and not self._searching:
                    self._look_further(nursery, self._not_searched())
                await self._until_changed(self._session.wake_at(now))
            nursery.cancel_scope.cancel()

    async def _until_changed(self, wake_at: float | None) -> None:
        with trio.CancelScope() as rest:
            if wake_at is not None:
                rest.deadline = wake_at
            await self._changed.wait()
        if self._changed.is_set():
            self._changed = trio.Event()

    async def _request(self, peer: PeerId, index: int, send: trio.MemorySendChannel[_Landed]) -> None:
        cid = self._wanted.cids[index]
        try:
            data = await self._swarm.block(peer, cid)
        except RemoteError as error:
            self._last_fault = error
            logger.debug("block %d from %s: %s", index, peer.short, error)
            self._session.failed(peer, index, Failure.FAULT, self._clock.monotonic())
        else:
            if data is None:
                self._session.failed(peer, index, Failure.LACKED, self._clock.monotonic())
            elif self._session.arrived(peer, index, len(data), self._clock.monotonic()):
                send.send_nowait((peer, index, data))
        self._changed.set()

    async def _take_in(self, landed: trio.MemoryReceiveChannel[_Landed]) -> None:
        """Verify and store what has landed, as many at once as have gathered meanwhile."""
        async for first in landed:
            batch = [first]
            with contextlib.suppress(trio.WouldBlock):
                while len(batch) < _BATCH_BLOCKS:
                    batch.append(landed.receive_nowait())
            arrivals = [Arrival(peer, Block(self._wanted.cids[index], data)) for peer, index, data in batch]
            verdicts = await self._intake.take(arrivals)
            for (peer, index, data), sound in zip(batch, verdicts, strict=True):
                self._settle(peer, index, data, sound)
            self._arrived.set()
            self._changed.set()

    def _settle(self, peer: PeerId, index: int, data: memoryview, sound: bool) -> None:
        now = self._clock.monotonic()
        if sound:
            self._session.received(peer, index, len(data))
            self._ready[index] = data
            self._progressed_at = now
            self._searched.clear()
        else:
            logger.warning("%s answered with other bytes than %s names", peer, self._wanted.cids[index])
            self._session.failed(peer, index, Failure.LIED, now)

    def _not_searched(self) -> CID:
        """What to look for next: the root's providers, then the missing block's, each once between two blocks."""
        first = self._session.first_missing()
        assert first is not None, "a session that is stuck wants something"
        for cid in (self._wanted.root, self._wanted.cids[first]):
            if cid not in self._searched:
                return cid
        raise self._nobody_left()

    def _look_further(self, nursery: trio.Nursery, cid: CID) -> None:
        self._searched.add(cid)
        self._searching = True
        nursery.start_soon(self._search, cid)

    async def _search(self, cid: CID) -> None:
        """Look for more peers; those found are asked at once, while the search goes on."""
        settings = self._settings
        await self._swarm.finder.find(
            cid, self.add_peer, count=settings.max_providers, timeout_s=settings.search_timeout_s
        )
        self._searching = False
        self._changed.set()

    def _stalled(self) -> RequestTimeoutError:
        last = f"; the last fault was: {self._last_fault.message}" if self._last_fault is not None else ""
        return RequestTimeoutError(f"{self._wanted.root}: no progress for {self._stall_s:g} s{last}")

    def _nobody_left(self) -> Exception:
        wanted = self._wanted
        left = f"{self._session.wanting} of {len(wanted.cids)} blocks of {wanted.root} could not be had"
        if any(state.lied for state in self._session.peers.values()):
            return IntegrityError(f"{left}: a provider answered with other bytes than the CIDs name")
        if self._last_fault is not None:
            return type(self._last_fault)(f"{left}: {self._last_fault.message}")
        return NotFoundError(f"{left}: no provider holds them")
