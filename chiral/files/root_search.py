"""One search for what a CID names among other peers: candidates are asked, several at once, until one has it."""

from __future__ import annotations

import logging

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.errors import (
    IntegrityError,
    NoProvidersError,
    NotFoundError,
    PeerLiedError,
    RemoteError,
    RequestTimeoutError,
    StreamResetError,
    sole_error,
)
from chiral.files.manifest import read_received
from chiral.files.root import Root
from chiral.interface.peer import PeerId
from chiral.transfer.finder import Candidate
from chiral.transfer.intake import Arrival, Intake
from chiral.transfer.swarm import Swarm

logger = logging.getLogger(__name__)

_PROVIDERS = 20
_WAITED_FOR = 4
_PATIENCE_S = 2.0
"""After this long a peer's silence no longer keeps the next candidate waiting."""
_ASKED_AT_ONCE = 8
"""Each may answer with as much as a FileInfo may have."""


class RootSearch:
    """Asks who provides `cid` before who is merely connected. Made for one `run`."""

    def __init__(self, cid: CID, swarm: Swarm, intake: Intake) -> None:
        self._cid = cid
        self._swarm = swarm
        self._intake = intake
        self._candidates: dict[PeerId, bool] = {}
        """Who was found and whether it claims to hold the content."""
        self._waiting: list[PeerId] = []
        self._changed = trio.Event()
        self._over = False
        self._unanswered = 0
        self._lacking: set[PeerId] = set()
        self._liars: dict[PeerId, PeerLiedError] = {}
        self._fault: RemoteError | None = None
        self._found: Root | None = None
        self._holder: PeerId | None = None
        self._turns = trio.Semaphore(_WAITED_FOR)
        self._places = trio.CapacityLimiter(_ASKED_AT_ONCE)

    async def run(self, timeout_s: float) -> Root:
        """What `cid` names, and whom to ask for its blocks, best first.

        Raises `NoProvidersError`, `NotFoundError`, `IntegrityError` or a `RemoteError`; `InvalidCidError` for a file of
        blocks that cannot be verified, `LocalError` for a fault of this machine.
        """
        with sole_error(), trio.move_on_after(timeout_s):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._look, timeout_s)
                await self._ask_all(nursery)
        if self._found is None:
            raise self._not_had(timeout_s)
        return self._found.with_candidates(self._to_ask_for_blocks())

    async def _look(self, timeout_s: float) -> None:
        await self._swarm.finder.find(self._cid, self._take_candidate, count=_PROVIDERS, timeout_s=timeout_s)
        self._over = True
        self._changed.set()

    def _take_candidate(self, candidate: Candidate) -> None:
        if candidate.peer not in self._candidates:
            self._waiting.append(candidate.peer)
        self._candidates[candidate.peer] = candidate.claims or self._candidates.get(candidate.peer, False)
        self._changed.set()

    async def _ask_all(self, nursery: trio.Nursery) -> None:
        while True:
            await self._turns.acquire()
            peer = await self._next()
            if peer is None:
                return
            answered = trio.Event()
            nursery.start_soon(self._ask, peer, answered, nursery.cancel_scope)
            nursery.start_soon(self._end_turn, answered)

    async def _next(self) -> PeerId | None:
        """The next peer to ask, once there is one; None when the search is over."""
        while not self._waiting:
            if self._over:
                return None
            self._changed = trio.Event()
            await self._changed.wait()
        peer = next((peer for peer in self._waiting if self._candidates[peer]), self._waiting[0])
        self._waiting.remove(peer)
        return peer

    async def _end_turn(self, answered: trio.Event) -> None:
        with trio.move_on_after(_PATIENCE_S):
            await answered.wait()
        self._turns.release()

    async def _ask(self, peer: PeerId, answered: trio.Event, search: trio.CancelScope) -> None:
        self._unanswered += 1
        try:
            async with self._places:
                found = await self._answer_of(peer)
        except PeerLiedError as error:
            logger.warning("%s", error)
            self._liars[peer] = error
        except RemoteError as error:
            logger.debug("%s from %s: %s", self._cid, peer.short, error)
            self._fault = error
        else:
            if found is None:
                self._lacking.add(peer)
            elif self._found is None:
                self._found, self._holder = found, peer
                search.cancel()
        self._unanswered -= 1
        answered.set()

    async def _answer_of(self, peer: PeerId) -> Root | None:
        data = await self._fetch(peer)
        if data is None:
            return None
        raw = bytes(data)
        [is_block] = await self._intake.take([Arrival(peer, Block(self._cid, raw))])
        if is_block:
            return Root(None, data=raw)
        return Root(await read_received(self._cid, raw, peer), manifest=raw)

    async def _fetch(self, peer: PeerId) -> memoryview | None:
        try:
            return await self._swarm.root(peer, self._cid)
        except StreamResetError:
            # The connection may have been an idle one that the peer was just closing: a new one is worth a try.
            return await self._swarm.root(peer, self._cid)

    def _to_ask_for_blocks(self) -> tuple[Candidate, ...]:
        """The holder first, then those who claim to be one; of those who lack the root some may have blocks."""
        claims = {
            peer: said and peer not in self._lacking
            for peer, said in self._candidates.items()
            if peer not in self._liars
        }
        if self._holder is not None:
            claims[self._holder] = True
        order = sorted(claims, key=lambda peer: (peer != self._holder, not claims[peer]))
        return tuple(Candidate(peer, claims[peer]) for peer in order)

    def _not_had(self, timeout_s: float) -> Exception:
        cid, asked = self._cid, len(self._candidates)
        if self._liars:
            return IntegrityError(next(iter(self._liars.values())).message)
        if not any(self._candidates.values()):
            besides = f", and none of {asked} connected peers gave it" if asked else ""
            return NoProvidersError(
                f"no providers found for {cid}{besides}",
                hint="is a node that holds it running, and does this one know its swarm? see 'chiral peers'",
            )
        if self._fault is not None:
            return type(self._fault)(f"{cid} could not be had from any of {asked} peers: {self._fault.message}")
        if self._unanswered or self._waiting:
            return RequestTimeoutError(f"none of {asked} peers asked for {cid} had it within {timeout_s:g} s")
        return NotFoundError(f"{asked} peers were asked for {cid} and none holds it")
