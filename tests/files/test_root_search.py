"""Who is asked for a CID, in which order, and what comes of lies, silence and faults."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import MockClock

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import (
    ChiralError,
    IntegrityError,
    InvalidCidError,
    LocalError,
    NoProvidersError,
    NotFoundError,
    PeerUnreachableError,
    RequestTimeoutError,
    StoreFullError,
    StreamResetError,
)
from chiral.events.bus import EventBus
from chiral.files.root import Root
from chiral.files.root_search import RootSearch
from chiral.transfer.finder import Candidate
from chiral.transfer.intake import Intake
from tests.fakes.exchange import (
    Conduct,
    ScriptedPeer,
    ScriptedSwarm,
    garbling,
    gone,
    lacking,
    lying,
    resetting,
    shortening,
    stalling,
)
from tests.fakes.memory_store import MemoryBlockstore
from tests.files.rig import Content

FILE = Content(10_000)
BLOCK = Block.of(b"a single block")


class Search:
    """A search of one node among scripted peers."""

    def __init__(
        self, *providers: ScriptedPeer, connected: tuple[ScriptedPeer, ...] = (), delay_s: float = 0.0
    ) -> None:
        self.scripted = ScriptedSwarm(*providers, *connected, delay_s=delay_s)
        self.scripted.connections.connect(*connected)
        for cid in (FILE.root, BLOCK.cid):
            self.scripted.routing.knows(cid, *providers)
        self.store = MemoryBlockstore()

    async def run(self, cid: CID = FILE.root, timeout_s: float = 20.0) -> Root:
        return await RootSearch(cid, self.scripted.swarm, Intake(self.store, EventBus())).run(timeout_s)


def holder(number: int, conduct: Conduct | None = None) -> ScriptedPeer:
    peer = FILE.at(number).hold([BLOCK])
    if conduct is not None:
        peer.conduct = conduct
    return peer


async def test_a_file_is_found_by_its_info() -> None:
    peer = holder(1)
    search = Search(peer)
    root = await search.run()
    assert (root.info, root.manifest, root.local) == (FILE.info, FILE.manifest, False)
    assert root.candidates == (Candidate(peer.id, claims=True),)
    assert (await search.store.stats()).blocks == 0


async def test_a_block_is_found_and_stored() -> None:
    search = Search(holder(1))
    root = await search.run(BLOCK.cid)
    assert (root.info, root.data) == (None, BLOCK.data)
    assert await search.store.get(BLOCK.cid) == BLOCK.data


async def test_an_empty_file_is_found() -> None:
    empty = Content(0)
    search = Search(empty.at(1))
    search.scripted.routing.knows(empty.root, empty.at(1))
    assert (await search.run(empty.root)).info == empty.info


@pytest.mark.parametrize("conduct", [lying, shortening, lacking, resetting, garbling, gone])
async def test_the_next_is_asked(conduct: Conduct) -> None:
    root = await Search(holder(1, conduct), holder(2)).run()
    assert root.info == FILE.info
    assert root.candidates[0].peer == holder(2).id


async def test_silent_peers_do_not_keep_others_from_being_asked(autojump_clock: MockClock) -> None:
    search = Search(*(holder(number, stalling) for number in range(1, 8)), holder(8))
    assert (await search.run(BLOCK.cid)).data == BLOCK.data
    assert trio.current_time() < 5.0


async def test_a_connected_holder_is_found_where_the_dht_knows_nobody() -> None:
    peer = holder(1)
    assert (await Search(connected=(peer,)).run()).candidates == (Candidate(peer.id, claims=True),)


async def test_providers_are_asked_before_those_that_are_merely_connected(autojump_clock: MockClock) -> None:
    idle = tuple(ScriptedPeer(number, latency_s=1.0) for number in range(10, 20))
    search = Search(holder(1), connected=idle)
    await search.run(BLOCK.cid)
    assert sum(len(peer.asked) for peer in idle) <= 4


async def test_those_found_are_handed_on_best_first_and_liars_left_out() -> None:
    without, liar, good, connected = ScriptedPeer(1), holder(2, lying), holder(3), ScriptedPeer(4)
    without.latency_s = liar.latency_s = connected.latency_s = 0.0
    good.latency_s = 0.05
    later = holder(5, stalling)
    root = await Search(without, liar, good, later, connected=(connected,)).run()
    assert root.candidates[0] == Candidate(good.id, claims=True)
    assert {candidate.peer for candidate in root.candidates if candidate.claims} == {good.id, later.id}
    assert {candidate.peer for candidate in root.candidates if not candidate.claims} == {without.id, connected.id}


async def test_a_reset_is_tried_once_more() -> None:
    """A peer may close an idle connection just when the request is sent on it."""
    peer = holder(1)
    answer = peer.conduct

    async def reset_first(cid: CID, held: bytes | None) -> bytes | None:
        return await (resetting if len(peer.asked) == 1 else answer)(cid, held)

    peer.conduct = reset_first
    assert (await Search(peer).run()).info == FILE.info


@pytest.mark.parametrize(
    ("conduct", "error"),
    [
        (lacking, NotFoundError),
        (lying, IntegrityError),
        (shortening, IntegrityError),
        (resetting, StreamResetError),
        (gone, PeerUnreachableError),
    ],
)
async def test_nobody_has_it(conduct: Conduct, error: type[ChiralError]) -> None:
    search = Search(holder(1, conduct), holder(2, conduct))
    with pytest.raises(error) as raised:
        await search.run()
    assert type(raised.value) is error
    assert (await search.store.stats()).blocks == 0


async def test_nobody_is_known() -> None:
    with pytest.raises(NoProvidersError, match="no providers found"):
        await Search().run()


async def test_those_that_lack_it_and_answer_at_the_same_time_do_not_undo_the_find(autojump_clock: MockClock) -> None:
    for order in (1, -1):
        peers = [holder(1, lacking), holder(2), holder(3, lacking)][::order]
        assert (await Search(*peers).run(BLOCK.cid)).data == BLOCK.data


@pytest.mark.parametrize("conduct", [lacking, gone, garbling])
async def test_nobody_claims_it_and_those_connected_do_not_give_it(conduct: Conduct) -> None:
    connected = tuple(holder(number, conduct) for number in (1, 2, 3))
    with pytest.raises(NoProvidersError, match="none of 3 connected peers"):
        await Search(connected=connected).run()


async def test_nobody_answers_in_time(autojump_clock: MockClock) -> None:
    with pytest.raises(RequestTimeoutError, match="none of 2 peers"):
        await Search(holder(1, stalling), holder(2, stalling)).run(BLOCK.cid, timeout_s=10.0)
    assert trio.current_time() == 10.0


async def test_a_search_that_takes_too_long_ends_with_nobody(autojump_clock: MockClock) -> None:
    with pytest.raises(NoProvidersError):
        await Search(holder(1), delay_s=100.0).run(timeout_s=10.0)


class TestLies:
    """What a peer may answer for a root that is not its file's FileInfo."""

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"{",
            b"null",
            b"[]",
            b"\xff\xfe\x00",
            b'{"root_cid":[1]}',
            FILE.manifest[:-1],
            FILE.manifest + b"x",
            FILE.manifest.replace(b'"size":10000', b'"size":-1'),
            FILE.manifest.replace(b'"size":10000', b'"size":1e9'),
            FILE.manifest.replace(b'"chunk_cids":[', b'"chunk_cids":[[1,2,3],'),
            Content(9_000, seed=2).manifest,
            FileInfo(FILE.root, "f", 1, Content(9_000, seed=2).info.chunk_cids, 1).to_json(),
            FileInfo(FILE.root, "f", 1, FILE.info.chunk_cids[::-1], 1).to_json(),
            json.dumps({"root_cid": "x" * 100_000}).encode(),
        ],
    )
    async def test_they_are_that_peers_fault(self, answer: bytes) -> None:
        liar = ScriptedPeer(1).hold_manifest(FILE.root, answer)
        with pytest.raises(IntegrityError, match=str(liar.id)):
            await Search(liar).run()
        assert (await Search(liar, holder(2)).run()).info == FILE.info

    async def test_more_than_a_file_info_may_have(self) -> None:
        peer = ScriptedPeer(1).hold_manifest(FILE.root, bytes((32 << 20) + 1))
        with pytest.raises(ChiralError, match="33554432 bytes"):
            await Search(peer).run()

    async def test_blocks_nobody_can_verify_are_the_files_fault(self) -> None:
        unknown = CID(1, 0x55, b"\x99\x01\x20" + bytes(32))
        info = FileInfo.of("f", 10, [unknown], 1)
        peer = ScriptedPeer(1).hold_manifest(info.root_cid, info.to_json())
        search = Search(peer)
        search.scripted.routing.knows(info.root_cid, peer)
        with pytest.raises(InvalidCidError, match="not supported"):
            await search.run(info.root_cid)


async def test_a_full_store_is_this_nodes_fault() -> None:
    search = Search(holder(1))
    search.store.fault = StoreFullError("no space left")
    with pytest.raises(StoreFullError):
        await search.run(BLOCK.cid)


async def test_a_routing_that_fails_is_this_nodes_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search()

    def refuse(*_: object) -> None:
        raise LocalError("the DHT is not running")

    monkeypatch.setattr(search.scripted.routing, "find_providers", refuse)
    with pytest.raises(LocalError):
        await search.run()
