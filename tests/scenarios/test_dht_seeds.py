"""What seeds 000, 002 and 003 ask of the DHT by name, with whole nodes over loopback TCP.

The names that need no network are in `tests/kad`: XOR distances of known vectors, the order of eviction, the order of
the closest k. `test_provide_and_find`, `test_bootstrap` and `test_peer_discovery` of seed 002 are in `test_seeds.py`;
seed 000's 50 nodes, Rust and Go peers among them, in `interop/test_dht_swarm.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from chiral.block.cid import CID
from chiral.host.identity import load_identity
from chiral.interface.peer import PeerId
from chiral.kad.public_key_record import public_key_key
from chiral.node.node import Node
from interop.dht.asker import Asker, open_asker
from interop.dht.truth import closest, point
from tests.scenarios.swarm import DEADLINE_S, providers, running, several

K = 20
CONTENT = CID.of(b"test data")


@asynccontextmanager
async def swarm(directory: Path, count: int) -> AsyncIterator[list[Node]]:
    """`count` nodes; all but the first know the first alone."""
    async with running(directory / "first") as first, several(directory, count - 1, first) as rest:
        yield [first, *rest]


@asynccontextmanager
async def chain(directory: Path, count: int) -> AsyncIterator[list[Node]]:
    """`count` nodes, each of which knows the one before it alone."""
    async with AsyncExitStack() as stack:
        nodes: list[Node] = []
        for number in range(count):
            opening = running(directory / f"node{number}", *nodes[-1:])
            nodes.append(await stack.enter_async_context(opening))
        yield nodes


async def provide(node: Node, cid: CID) -> int:
    """Announce; how many peers took the record, under whichever key fewer did."""
    with trio.fail_after(DEADLINE_S):
        return min(result.stored for result in await node.provide(cid))


async def peers_in_tables(node: Node, count: int) -> Counter[int]:
    """Return once `count` peers are in the node's tables: how many share how many leading bits with it."""
    with trio.fail_after(DEADLINE_S):
        while (stats := await node.routing.stats()).peers < count:  # noqa: ASYNC110
            await trio.sleep(0.02)
    return Counter({bucket: held for bucket, held in enumerate(stats.bucket_counts) if held})


def shared_bits(one: PeerId, other: PeerId) -> int:
    """How many leading bits the points of two peers share."""
    return 256 - (point(one.raw) ^ point(other.raw)).bit_length()


async def keepers(asker: Asker, nodes: list[Node], key: bytes, provider: Node) -> set[str]:
    """Which of the nodes say, asked by wire, that `provider` provides `key`; itself left out."""
    addrs = [node.listen_addrs_text()[0] for node in nodes if node is not provider]
    with trio.fail_after(DEADLINE_S):
        return await asker.holders(addrs, key, str(provider.peer_id))


# Seed 000


async def test_kademlia_routing(tmp_path: Path) -> None:
    """Seed 000: routing tables hold everybody there is, each in the bucket that its distance says."""
    async with swarm(tmp_path, 8) as nodes:
        for node in nodes:
            others = [other for other in nodes if other is not node]
            expected = Counter(shared_bits(node.peer_id, other.peer_id) for other in others)
            assert await peers_in_tables(node, len(others)) == expected


async def test_provide_content(tmp_path: Path) -> None:
    """Seed 000: an announcement reaches everybody where there are fewer than k, under both keys of the CID."""
    async with swarm(tmp_path, 5) as nodes, open_asker() as asker:
        provider = nodes[-1]
        assert await provide(provider, CONTENT) == 4
        for key in (CONTENT.buffer, CONTENT.multihash):
            assert len(await keepers(asker, nodes, key, provider)) == 4
        assert not await keepers(asker, nodes, CID.of(b"nobody's").buffer, provider)


async def test_find_providers(tmp_path: Path) -> None:
    """Seed 000: whoever looks finds all who provide, and nobody for what is not provided."""
    async with swarm(tmp_path, 6) as nodes:
        providing = {nodes[1].peer_id, nodes[3].peer_id}
        for node in (nodes[1], nodes[3]):
            await provide(node, CONTENT)
        for seeker in nodes:
            assert await providers(seeker, CONTENT) == providing - {seeker.peer_id}
        assert await providers(nodes[0], CID.of(b"nobody's")) == set()


async def test_put_get_record(tmp_path: Path) -> None:
    """Seed 000: a record put by one node is got by all, its author being gone too."""
    async with swarm(tmp_path, 4) as nodes:
        author = nodes[-1]
        key, value = public_key_key(author.peer_id), public_key_of(author, tmp_path)
        with trio.fail_after(DEADLINE_S):
            put = await author.routing.put_record(key, value, quorum="all")
            assert (put.asked, put.stored, put.reached) == (3, 3, True)
            async with running(tmp_path / "late", nodes[0]) as late:
                found = await late.routing.get_record(key, quorum="majority")
                assert found is not None
                assert (found.value, found.reached) == (value, True)
                assert await late.routing.get_record(public_key_key(late.peer_id)) is None


def public_key_of(node: Node, directory: Path) -> bytes:
    """The node's public key as libp2p serialises it."""
    return bytes(load_identity(node.config.data_dir).public_key.serialize())


async def test_bootstrap(tmp_path: Path) -> None:
    """Seed 000: a node given one address is in touch with the network: it knows others and others know it."""
    async with swarm(tmp_path, 6) as nodes, running(tmp_path / "new", nodes[0]) as new:
        assert (await peers_in_tables(new, 6)).total() == 6
        for node in nodes:
            with trio.fail_after(DEADLINE_S):
                found = await node.routing.find_peer(new.peer_id)
            assert found is not None
            assert set(found.addrs) & set(new.connections.listen_addrs())


# Seed 002


async def test_replication(tmp_path: Path) -> None:
    """Seed 002: of 25 nodes 20 hold the record of one, and these are the 20 closest to the key."""
    async with swarm(tmp_path, 25) as nodes, open_asker() as asker:
        provider = nodes[1]
        for node in nodes:
            await peers_in_tables(node, K)
        assert await provide(provider, CONTENT) == K
        others = [str(node.peer_id) for node in nodes if node is not provider]
        for key in (CONTENT.buffer, CONTENT.multihash):
            assert await keepers(asker, nodes, key, provider) == set(closest(key, others, K))


# Seed 003


async def test_a_stores_and_c_finds_through_b(tmp_path: Path) -> None:
    """Seed 003: A and C know B alone; what A announces C finds, and where A is."""
    async with running(tmp_path / "b") as b, running(tmp_path / "a", b) as a, running(tmp_path / "c", b) as c:
        assert await provide(a, CONTENT) >= 1
        assert await providers(c, CONTENT) == {a.peer_id}
        with trio.fail_after(DEADLINE_S):
            assert a.peer_id in {info.peer for info in await c.routing.closest_peers(CONTENT.buffer)}


async def test_what_a_stored_c_finds_when_a_is_gone(tmp_path: Path) -> None:
    """Seed 003: the record is B's to give, so C has it from B after A has left."""
    async with running(tmp_path / "b") as b:
        async with running(tmp_path / "a", b) as a:
            gone = a.peer_id
            assert await provide(a, CONTENT) == 1
        async with running(tmp_path / "c", b) as c:
            assert await providers(c, CONTENT) == {gone}


async def test_join_fills_the_table(tmp_path: Path) -> None:
    """Seed 003: each knows only the one before it, and yet everybody comes into everybody's table."""
    async with chain(tmp_path, 8) as nodes:
        for node in nodes:
            assert (await peers_in_tables(node, len(nodes) - 1)).total() == len(nodes) - 1
