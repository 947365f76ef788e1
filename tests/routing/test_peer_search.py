"""Searching for peers: by id and by distance, and the records that a search for providers tells."""

from __future__ import annotations

from contextlib import aclosing

import pytest
from trio.abc import Clock

from chiral.errors import UsageError
from chiral.interface.providers import FoundProvider
from chiral.kad.key import KadKey
from tests.fakes.link import address
from tests.fakes.stream_node import peer_id
from tests.routing.net import DhtNode, closest, running

KEY = b"\x01\x55\x12\x20" + bytes(32)
MULTIHASH = KEY[2:]


async def records(node: DhtNode, *keys: bytes, count: int = 100) -> list[FoundProvider]:
    async with aclosing(node.kad.find_provider_records(keys, count, 30.0)) as found:
        return [one async for one in found]


async def test_a_record_tells_key_distance_and_who_said_so(autojump_clock: Clock) -> None:
    """Seed 002: a provider record has the content's key, the provider, a timestamp and the XOR distance."""
    async with running() as net:
        one, two, three = await net.grow(3)
        started = net.clock.wall()
        await one.kad.provide([MULTIHASH])
        (held,) = await records(two, KEY, MULTIHASH, count=1)
        assert held.info == one.info
        assert (held.key, held.told_by) == (MULTIHASH, None)
        assert held.distance == KadKey.of(MULTIHASH).distance(KadKey.of(one.peer.raw))
        assert held.received_at is not None
        assert started <= held.received_at <= net.clock.wall()
        await three.providers.remove(MULTIHASH, one.peer)
        (told,) = await records(three, MULTIHASH)
        assert (told.info.peer, told.received_at) == (one.peer, None)
        assert told.told_by in {one.peer, two.peer}, "a provider answers for itself too"


async def test_the_closest_are_in_the_order_of_their_distance(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await net.grow(50)
        peers = [node.peer for node in nodes]
        for number in range(0, 50, 5):
            key = b"key %d" % number
            others = [peer for peer in peers if peer != peers[number]]
            found = await nodes[number].kad.closest_peers(key)
            assert [info.peer for info in found] == closest(others, key, 20)


async def test_this_node_knows_itself(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        assert await node.kad.find_peer(node.peer) == node.info


async def test_a_peer_known_here_alone_is_found(autojump_clock: Clock) -> None:
    async with running() as net:
        one, _ = await net.grow(2)
        one.node.add_addrs(peer_id(70), [address(70)], ttl_s=60)
        found = await one.kad.find_peer(peer_id(70))
        assert found is not None
        assert found.addrs == (address(70),)


async def test_joining_again_goes_back_to_all_that_were_given(autojump_clock: Clock) -> None:
    async with running() as net:
        one, two, late = await net.add(), await net.add(), await net.add()
        await late.kad.bootstrap([one.info])
        assert (await late.kad.bootstrap([two.info, late.info])).connected == (two.info,)
        await late.node.disconnect(one.peer)
        await late.node.disconnect(two.peer)
        again = await late.kad.bootstrap([])
        assert set(again.connected) == {one.info, two.info}


@pytest.mark.parametrize("size", [0, 81])
async def test_keys_that_no_message_may_carry(autojump_clock: Clock, size: int) -> None:
    async with running() as net:
        node = await net.add()
        for call in (records(node, bytes(size)), node.kad.closest_peers(bytes(size))):
            with pytest.raises(UsageError, match="1 to 80"):
                await call
