"""Whom a search names, in which order, and that it ends."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from chiral.block.cid import CID
from chiral.transfer.finder import Candidate
from tests.fakes.exchange import ScriptedPeer, ScriptedSwarm

CONTENT = CID.of(b"content")


async def found(
    scripted: ScriptedSwarm, cid: CID = CONTENT, *, count: int = 8, timeout_s: float = 60.0
) -> list[Candidate]:
    candidates: list[Candidate] = []
    await scripted.finder.find(cid, candidates.append, count=count, timeout_s=timeout_s)
    return candidates


async def test_connected_peers_come_first_and_claim_nothing() -> None:
    connected, provider = ScriptedPeer(1), ScriptedPeer(2)
    scripted = ScriptedSwarm(connected, provider)
    scripted.connections.connect(connected)
    scripted.routing.knows(CONTENT, provider)
    assert await found(scripted) == [Candidate(connected.id, claims=False), Candidate(provider.id, claims=True)]


async def test_a_connected_provider_is_named_as_both() -> None:
    provider = ScriptedPeer(1)
    scripted = ScriptedSwarm(provider)
    scripted.connections.connect(provider, provider)
    scripted.routing.knows(CONTENT, provider)
    assert [candidate.claims for candidate in await found(scripted)] == [False, True]


async def test_those_that_do_not_speak_the_protocol_take_no_place() -> None:
    scripted = ScriptedSwarm()
    scripted.connections.connect(*(ScriptedPeer(number) for number in range(1, 100)), protocols=("/ipfs/kad/1.0.0",))
    speakers = [ScriptedPeer(number) for number in range(100, 130)]
    scripted.connections.connect(*speakers)
    assert [candidate.peer for candidate in await found(scripted)] == [peer.id for peer in speakers[:16]]


async def test_addresses_of_providers_are_kept_for_dialling() -> None:
    provider = ScriptedPeer(1)
    scripted = ScriptedSwarm(provider)
    scripted.routing.knows(CONTENT, provider)
    await found(scripted)
    assert scripted.connections.book == {provider.id: provider.info.addrs}


async def test_both_keys_are_looked_up_at_once() -> None:
    scripted = ScriptedSwarm()
    await found(scripted)
    await found(scripted, CID(0, 0x70, CONTENT.multihash))
    assert scripted.routing.lookups == [(CONTENT.buffer, CONTENT.multihash), (CONTENT.multihash,)]


async def test_this_node_is_no_candidate() -> None:
    scripted = ScriptedSwarm()
    scripted.routing.knows(CONTENT, ScriptedPeer(0))
    assert await found(scripted) == []


async def test_a_search_ends_in_time_with_what_it_found(autojump_clock: MockClock) -> None:
    providers = [ScriptedPeer(number) for number in range(1, 9)]
    scripted = ScriptedSwarm(*providers, delay_s=10.0)
    scripted.routing.knows(CONTENT, *providers)
    assert len(await found(scripted, timeout_s=35.0)) == 3
    assert trio.current_time() == 35.0


class TestJoining:
    """A search that begins before the node has joined the swarm."""

    async def test_waits_for_it(self, autojump_clock: MockClock) -> None:
        connected, provider = ScriptedPeer(1), ScriptedPeer(2)
        scripted = ScriptedSwarm(connected, provider, joined=False)

        async def join() -> None:
            await trio.sleep(2.0)
            scripted.connections.connect(connected)
            scripted.routing.knows(CONTENT, provider)
            scripted.joined.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(join)
            assert [candidate.peer for candidate in await found(scripted)] == [connected.id, provider.id]
        assert trio.current_time() == 2.0

    async def test_but_not_for_ever(self, autojump_clock: MockClock) -> None:
        provider = ScriptedPeer(1)
        scripted = ScriptedSwarm(provider, joined=False)
        scripted.routing.knows(CONTENT, provider)
        assert [candidate.peer for candidate in await found(scripted)] == [provider.id]
        assert trio.current_time() == 5.0

    async def test_nor_longer_than_the_search_may_take(self, autojump_clock: MockClock) -> None:
        await found(ScriptedSwarm(joined=False), timeout_s=1.0)
        assert trio.current_time() == 1.0
