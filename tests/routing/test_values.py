"""Value records: put and get over the network."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.abc import Clock

from chiral.errors import ProtocolError, UsageError
from chiral.interface.routing import ProvideResult
from chiral.kad.messages import Message, MessageType, Record
from tests.fakes.stream_node import peer_id
from tests.routing.net import KAD, DhtNode, Net, Scripted, closest, running

KEY = b"/v/key"


class Newest:
    """Values of which the highest is best; an empty one is not valid."""

    def validate(self, key: bytes, value: bytes) -> None:
        if not value:
            raise ProtocolError("empty")

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        return list(values).index(max(values))


VALIDATORS = {"v": Newest()}


async def swarm(net: Net, count: int) -> list[DhtNode]:
    for _ in range(count):
        node = await net.add(validators=VALIDATORS)
        if len(net.nodes) > 1:
            await node.kad.bootstrap([net.nodes[0].info])
    return net.nodes


async def test_put_and_get(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 25)
        assert await nodes[4].kad.put_value(KEY, b"1") == ProvideResult(KEY, 20, 20)
        others = [node.peer for node in nodes if node is not nodes[4]]
        now = net.clock.wall()
        held = {node.peer for node in nodes if await node.values.get(KEY, now) is not None}
        assert held == {nodes[4].peer, *closest(others, KEY, 20)}
        assert await nodes[20].kad.get_value(KEY) == b"1"
        assert await nodes[20].kad.get_value(b"/v/other") is None
        assert (await nodes[4].kad.stats()).value_records == 1


async def test_the_best_of_several_wins(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 6)
        await nodes[1].kad.put_value(KEY, b"1")
        net.swarm.kill(nodes[5].peer)
        result = await nodes[2].kad.put_value(KEY, b"2")
        assert result.stored == 4
        net.swarm.revive(nodes[5].peer)
        for node in nodes:
            assert await node.kad.get_value(KEY, quorum=6) == b"2"
        # What is older than what the others hold is refused by them.
        assert (await nodes[3].kad.put_value(KEY, b"1")).stored == 1


async def test_a_quorum_ends_the_search(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 6)
        await nodes[1].kad.put_value(KEY, b"1")
        net.swarm.stall(nodes[5].peer)
        start = trio.current_time()
        assert await nodes[2].kad.get_value(KEY, quorum=3) == b"1"
        assert await nodes[2].kad.get_value(KEY, quorum=1) == b"1"
        assert trio.current_time() == start


async def test_invalid_and_misplaced_values_are_not_believed(autojump_clock: Clock) -> None:
    async with running() as net:
        (node,) = await swarm(net, 1)
        lies = (Record(KEY, b""), Record(b"/v/other", b"9"), Record(b"", b"9"))
        for number, record in enumerate(lies, start=500):
            liar = net.fake(number)
            liar.serve(KAD, Scripted(Message(MessageType.GET_VALUE, KEY, record)))
            await liar.connect(node.info)
        await trio.sleep(0.1)
        assert peer_id(502) in node.table
        assert await node.kad.get_value(KEY) is None


async def test_what_cannot_be_put(autojump_clock: Clock) -> None:
    async with running() as net:
        (node,) = await swarm(net, 1)
        with pytest.raises(UsageError, match="name space 'none'"):
            await node.kad.put_value(b"/none/x", b"1")
        with pytest.raises(UsageError, match="name space"):
            await node.kad.get_value(b"/none/x")
        with pytest.raises(UsageError, match="empty"):
            await node.kad.put_value(KEY, b"")
        with pytest.raises(UsageError, match="16384"):
            await node.kad.put_value(KEY, bytes(16_384))
        with pytest.raises(UsageError, match="81 bytes"):
            await node.kad.put_value(b"/v/" + bytes(78), b"1")
        assert await node.values.count() == 0


async def test_a_peer_without_the_validator_refuses(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 2)
        plain = await net.add()
        await plain.kad.bootstrap([nodes[0].info])
        assert await nodes[0].kad.put_value(KEY, b"1") == ProvideResult(KEY, 2, 1)
        assert plain.peer in nodes[0].table
