"""Value records: put and get over the network."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.abc import Clock

from chiral.errors import ProtocolError, RemoteError, UsageError
from chiral.interface.values import QuorumError, RecordFound, RecordPut, Standing
from chiral.kad.messages import Message, MessageType, Record
from chiral.kad.quorum import Quorum
from tests.fakes.stream_node import peer_id
from tests.routing.net import KAD, DhtNode, Net, Scripted, closest, exchange, running

KEY = b"/v/key"


class Newest:
    """Values `author:number` or a number alone, of which the highest number is best; an empty one is not valid."""

    def validate(self, key: bytes, value: bytes, now: float) -> Standing:
        if not value:
            raise ProtocolError("empty")
        author, found, _ = value.partition(b":")
        return Standing(author if found else b"")

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        return max(range(len(values)), key=lambda index: values[index].partition(b":")[::-1])


VALIDATORS = {"v": Newest()}


async def swarm(net: Net, count: int) -> list[DhtNode]:
    for _ in range(count):
        node = await net.add(validators=VALIDATORS)
        if len(net.nodes) > 1:
            await node.kad.bootstrap([net.nodes[0].info])
    return net.nodes


async def best(node: DhtNode, quorum: Quorum = 3) -> bytes | None:
    """The value that `node` gets."""
    found = await node.kad.get_record(KEY, quorum=quorum)
    return None if found is None else found.value


async def held(net: Net, node: DhtNode) -> list[bytes]:
    return [record.value for record in await node.values.get(KEY, net.clock.wall())]


async def test_put_get_record(autojump_clock: Clock) -> None:
    """Seed 000: what one node puts under a key another gets; 20 nodes hold it, the closest to the key."""
    async with running() as net:
        nodes = await swarm(net, 25)
        assert await nodes[4].kad.put_record(KEY, b"1", quorum="all") == RecordPut(KEY, 20, 20, 20)
        others = [node.peer for node in nodes if node is not nodes[4]]
        holders = {node.peer for node in nodes if await held(net, node)}
        assert holders == {nodes[4].peer, *closest(others, KEY, 20)}
        found = await nodes[20].kad.get_record(KEY, quorum="majority")
        assert found == RecordFound(KEY, b"1", (), 11, 11)
        assert await nodes[20].kad.get_record(b"/v/other") is None
        assert (await nodes[4].kad.stats()).value_records == 1


async def test_a_record_that_nobody_is_left_to_take(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 2)
        assert await nodes[0].kad.put_record(KEY, b"1") == RecordPut(KEY, 1, 1, 1)
        assert await best(nodes[1]) == b"1"
        net.swarm.kill(nodes[1].peer)
        with pytest.raises(QuorumError) as caught:
            await nodes[0].kad.put_record(KEY, b"2")
        assert caught.value.put is not None
        assert caught.value.put.stored == 0


@pytest.mark.parametrize(("quorum", "needed"), [("one", 1), ("majority", 3), ("all", 5), (4, 4)])
async def test_too_few_took_it(autojump_clock: Clock, quorum: str, needed: int) -> None:
    """Two of five peers keep no such values."""
    async with running() as net:
        nodes = await swarm(net, 4)
        for _ in range(2):
            refusing = await net.add()
            await refusing.kad.bootstrap([nodes[0].info])
        await trio.sleep(1)
        expected = RecordPut(KEY, 5, 3, needed)
        if needed <= 3:
            assert await nodes[1].kad.put_record(KEY, b"1", quorum=quorum) == expected
        else:
            with pytest.raises(QuorumError, match=f"3 of 5 peers took the record, {needed} were wanted") as caught:
                await nodes[1].kad.put_record(KEY, b"1", quorum=quorum)
            assert caught.value.put == expected
            assert isinstance(caught.value, RemoteError)
        assert await held(net, nodes[0]) == await held(net, nodes[1]) == [b"1"]


async def test_nobody_to_take_it(autojump_clock: Clock) -> None:
    async with running() as net:
        (node,) = await swarm(net, 1)
        with pytest.raises(QuorumError, match="0 of 0 peers"):
            await node.kad.put_record(KEY, b"1")
        assert await held(net, node) == [b"1"]


async def test_the_best_of_several_wins_and_corrects_the_others(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 6)
        await nodes[1].kad.put_record(KEY, b"1")
        net.swarm.kill(nodes[5].peer)
        assert (await nodes[2].kad.put_record(KEY, b"2")).stored == 4
        net.swarm.revive(nodes[5].peer)
        newcomer = await net.add(validators=VALIDATORS)
        await newcomer.kad.bootstrap([nodes[0].info])
        await trio.sleep(1)
        assert (await held(net, nodes[5]), await held(net, newcomer)) == ([b"1"], [])
        found = await nodes[0].kad.get_record(KEY, quorum="all")
        assert found == RecordFound(KEY, b"2", (b"1",), 6, 6)
        await trio.sleep(1)
        assert await held(net, nodes[5]) == await held(net, newcomer) == [b"2"]


async def test_a_search_that_ended_early_corrects_no_one_without_a_record(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 6)
        await nodes[1].kad.put_record(KEY, b"1")
        *_, empty, asker = await swarm(net, 2)
        found = await asker.kad.get_record(KEY, quorum=2)
        assert found is not None
        assert found.reached
        await trio.sleep(1)
        assert await held(net, empty) == []
        await asker.kad.get_record(KEY, quorum="all")
        await trio.sleep(1)
        assert await held(net, empty) == [b"1"], "a search that went to its end does"


async def test_each_author_has_a_record_of_its_own(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 4)
        await nodes[1].kad.put_record(KEY, b"anna:1")
        await nodes[2].kad.put_record(KEY, b"bert:2")
        await nodes[3].kad.put_record(KEY, b"carl:1")
        assert set(await held(net, nodes[0])) == {b"anna:1", b"bert:2", b"carl:1"}
        found = await nodes[0].kad.get_record(KEY, quorum="all")
        assert found is not None
        assert (found.value, found.others) == (b"bert:2", (b"carl:1", b"anna:1"))
        await nodes[1].kad.put_record(KEY, b"anna:3")
        assert set(await held(net, nodes[0])) == {b"anna:3", b"bert:2", b"carl:1"}
        told = await exchange(nodes[0].node, nodes[2].peer, Message(MessageType.GET_VALUE, KEY))
        assert told is not None
        assert told.record is not None
        assert told.record.value == b"anna:3", "peers are told the best one"


async def test_authors_over_the_limit_of_a_key_are_refused(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 2)
        for number in range(16):
            await nodes[0].kad.put_record(KEY, b"author %d:1" % number)
        with pytest.raises(QuorumError, match="0 of 1"):
            await nodes[0].kad.put_record(KEY, b"author 16:9")
        assert await best(nodes[1]) != b"author 16:9"


async def test_a_quorum_ends_the_search(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 6)
        await nodes[1].kad.put_record(KEY, b"1")
        net.swarm.stall(nodes[5].peer)
        start = trio.current_time()
        assert await best(nodes[2]) == b"1"
        assert await best(nodes[2], "one") == b"1"
        assert trio.current_time() == start


async def test_a_quorum_that_is_not_reached_is_said(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 4)
        nodes[1].kad._values._correction.offer = lambda *_: None  # type: ignore[method-assign]
        await exchange(nodes[0].node, nodes[2].peer, Message(MessageType.PUT_VALUE, KEY, Record(KEY, b"1")))
        found = await nodes[1].kad.get_record(KEY, quorum="all")
        assert found == RecordFound(KEY, b"1", (), 1, 3)
        assert not found.reached


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
        assert await node.kad.get_record(KEY) is None


async def test_what_cannot_be_put(autojump_clock: Clock) -> None:
    async with running() as net:
        (node,) = await swarm(net, 1)
        with pytest.raises(UsageError, match="name space 'none'"):
            await node.kad.put_record(b"/none/x", b"1")
        with pytest.raises(UsageError, match="name space"):
            await node.kad.get_record(b"/none/x")
        with pytest.raises(UsageError, match="empty"):
            await node.kad.put_record(KEY, b"")
        with pytest.raises(UsageError, match="16384"):
            await node.kad.put_record(KEY, bytes(16_384))
        with pytest.raises(UsageError, match="81 bytes"):
            await node.kad.put_record(b"/v/" + bytes(78), b"1")
        with pytest.raises(UsageError, match="quorum"):
            await node.kad.put_record(KEY, b"1", quorum=0)
        with pytest.raises(QuorumError):
            await node.kad.put_record(KEY, b"2")
        with pytest.raises(UsageError, match="newer"):
            await node.kad.put_record(KEY, b"1")
        assert await node.values.count() == 1


async def test_a_peer_without_the_validator_refuses_and_stays(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await swarm(net, 2)
        plain = await net.add()
        await plain.kad.bootstrap([nodes[0].info])
        assert (await nodes[0].kad.put_record(KEY, b"1")).stored == 1
        assert plain.peer in nodes[0].table
