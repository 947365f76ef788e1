"""What single requests of strange peers are answered with."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.abc import Clock

from chiral.errors import ProtocolError, StreamResetError
from chiral.interface.providers import ProviderRecord
from chiral.interface.values import Standing
from chiral.kad.messages import (
    MAX_MESSAGE_BYTES,
    Connectedness,
    Message,
    MessageType,
    Record,
    encode_message,
)
from tests.fakes.stream_node import peer_id
from tests.routing.net import closest, exchange, find_node, running, stranger

KEY = b"a key"


async def test_ping_is_echoed(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        assert await exchange(strange, node.peer, Message(MessageType.PING)) == Message(MessageType.PING)


async def test_find_node_answers_with_the_closest_but_the_asker(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(23)
        first, asker = net.nodes[0], net.nodes[4]
        answer = await exchange(asker.node, first.peer, find_node(KEY))
        assert answer is not None
        found = [entry.id for entry in answer.closer]
        assert found == [peer.raw for peer in closest(sorted(first.table - {asker.peer}), KEY, 20)]
        assert all(entry.addrs for entry in answer.closer)
        assert answer.closer[0].connection is Connectedness.CONNECTED
        assert answer.type is MessageType.FIND_NODE


async def test_find_node_names_the_sought_peer_though_it_serves_no_dht(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange, other = await stranger(net, node), await stranger(net, node, 501)
        for target in (other.local_peer, strange.local_peer, node.peer):
            answer = await exchange(strange, node.peer, find_node(target.raw))
            assert answer is not None
            assert answer.closer[0].id == target.raw
            assert answer.closer[0].addrs
        assert await exchange(strange, node.peer, find_node(peer_id(999).raw)) == Message(
            MessageType.FIND_NODE, peer_id(999).raw
        )


async def test_peers_without_addresses_are_not_told(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(4)
        first = net.nodes[0]
        first.node.forget_addrs(net.nodes[2].peer)
        answer = await exchange(await stranger(net, first), first.peer, find_node(KEY))
        assert answer is not None
        assert {entry.id for entry in answer.closer} == {net.nodes[1].peer.raw, net.nodes[3].peer.raw}


async def test_answers_fit_what_every_peer_takes(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(25)
        node, now = net.nodes[0], net.clock.wall()
        addrs = tuple(b"\x36\x40" + b"%064d" % number for number in range(16))
        await node.providers.add_many([ProviderRecord(KEY, peer_id(n), addrs, now, now + 9) for n in range(100, 120)])
        answer = await exchange(net.nodes[1].node, node.peer, Message(MessageType.GET_PROVIDERS, KEY))
        assert answer is not None
        assert len(encode_message(answer)) <= MAX_MESSAGE_BYTES
        assert len(answer.providers) == 20
        assert len(answer.closer) >= 4


class Newest:
    """Values of one byte, of which the highest is best; zero is not valid."""

    def validate(self, key: bytes, value: bytes, now: float) -> Standing:
        if len(value) != 1 or value == b"\0":
            raise ProtocolError("not one byte")
        return Standing()

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        return values.index(max(values))


def put(key: bytes, value: bytes, ttl_s: int = 0) -> Message:
    return Message(MessageType.PUT_VALUE, key, Record(key, value, "ignored", b"ignored", ttl_s))


async def test_values_are_validated_kept_and_told(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(validators={"v": Newest()})
        strange = await stranger(net, node)
        answer = await exchange(strange, node.peer, put(b"/v/k", b"2"))
        assert answer == Message(MessageType.PUT_VALUE, b"/v/k", Record(b"/v/k", b"2"))
        for refused in (b"\0", b"long", b"1"):
            with pytest.raises(StreamResetError):
                await exchange(strange, node.peer, put(b"/v/k", refused))
        assert await exchange(strange, node.peer, put(b"/v/k", b"3")) is not None
        assert await exchange(strange, node.peer, put(b"/v/k", b"3")) is not None
        told = await exchange(strange, node.peer, Message(MessageType.GET_VALUE, b"/v/k"))
        assert told is not None
        assert told.record is not None
        assert (told.record.key, told.record.value) == (b"/v/k", b"3")
        assert told.record.time_received.startswith("2023-11-14T22:")
        assert told.record.time_received.endswith("Z")
        assert 0 < told.record.ttl_s <= 48 * 3600
        nothing = await exchange(strange, node.peer, Message(MessageType.GET_VALUE, b"/v/other"))
        assert nothing == Message(MessageType.GET_VALUE, b"/v/other")


async def test_the_shorter_life_of_a_value_counts(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(validators={"v": Newest()})
        strange = await stranger(net, node)
        await exchange(strange, node.peer, put(b"/v/a", b"1", ttl_s=60))
        await exchange(strange, node.peer, put(b"/v/b", b"1", ttl_s=10**9))
        now = net.clock.wall()
        [short], [long] = await node.values.get(b"/v/a", now), await node.values.get(b"/v/b", now)
        assert short.expires_at == pytest.approx(now + 60)
        assert long.expires_at == pytest.approx(now + 48 * 3600)
        await trio.sleep(49 * 3600)
        assert await node.values.count() == 0
