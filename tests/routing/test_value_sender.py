"""PUT_VALUEs to single peers: batches, refusals and what is not held against a peer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.abc import Clock

from chiral.clock import TrioClock
from chiral.errors import PeerUnreachableError, RemoteError, RequestTimeoutError, StreamResetError
from chiral.interface.peer import PeerId
from chiral.kad.messages import Message
from chiral.routing import value_sender as module
from chiral.routing.value_correction import ValueCorrection
from chiral.routing.value_sender import ValueSender, put_request, put_to_all
from tests.fakes.stream_node import peer_id

PEER = peer_id(1)
OTHER = peer_id(2)


class Client:
    """Notes what it is to send, and fails while it has a fault."""

    def __init__(self, fault: RemoteError | None = None) -> None:
        self.fault = fault
        self.told: list[list[bytes]] = []
        self.asked: list[PeerId] = []

    async def tell(self, peer: PeerId, messages: Sequence[Message]) -> None:
        await trio.lowlevel.checkpoint()
        self.told.append([message.key for message in messages])
        if self.fault is not None:
            raise self.fault

    async def request(self, peer: PeerId, message: Message) -> Message:
        await trio.lowlevel.checkpoint()
        self.asked.append(peer)
        if self.fault is not None:
            raise self.fault
        return message


def requests(count: int, value: bytes = b"v", namespace: bytes = b"d") -> list[Message]:
    return [put_request(namespace + b":%d" % number, value) for number in range(count)]


async def test_batches_are_bounded(autojump_clock: Clock) -> None:
    client, sender = Client(), ValueSender(TrioClock())
    assert len(await sender.put_many(client, PEER, requests(130))) == 130
    assert [len(keys) for keys in client.told] == [64, 64, 2]
    assert (sender.sent, sender.streams) == (130, 3)
    client.told.clear()
    await sender.put_many(client, PEER, requests(7, bytes(16_000)))
    assert [len(keys) for keys in client.told] == [3, 3, 1], "answers of 48 KiB at most are read"
    client.told.clear()
    await sender.put_many(client, PEER, requests(2) + requests(2, namespace=b"e"))
    assert [len(keys) for keys in client.told] == [2, 2], "one name space a stream"
    assert await sender.put_many(client, PEER, []) == []


async def test_three_refusals_are_enough_for_an_hour(autojump_clock: Clock) -> None:
    client, sender = Client(StreamResetError("refused")), ValueSender(TrioClock())
    assert await sender.put_many(client, PEER, requests(300)) == []
    assert len(client.told) == 3
    assert sender.refuses(PEER, b"d:any")
    assert not sender.refuses(PEER, b"e:any")
    assert not sender.refuses(OTHER, b"d:any")
    await trio.sleep(3601)
    client.fault = None
    assert len(await sender.put_many(client, PEER, requests(3))) == 3
    client.fault = StreamResetError("refused")
    assert not await sender.put(client, PEER, requests(1)[0])
    assert not sender.refuses(PEER, b"d:any"), "what was taken meanwhile counts"


@pytest.mark.parametrize("fault", [PeerUnreachableError("gone"), RequestTimeoutError("slow")])
async def test_a_peer_that_is_gone_has_refused_nothing(autojump_clock: Clock, fault: RemoteError) -> None:
    client, sender = Client(fault), ValueSender(TrioClock())
    for _ in range(4):
        assert await sender.put_many(client, PEER, requests(200)) == []
    assert len(client.told) == 4, "the rest of what was for it is not tried"
    assert not sender.refuses(PEER, b"d:any")


async def test_memory_is_bounded(autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_REMEMBERED", 3)
    client, sender = Client(StreamResetError("refused")), ValueSender(TrioClock())
    for number in range(10):
        await sender.put(client, peer_id(number), requests(1)[0])
    assert len(sender._refused) == 3


async def test_to_all_at_once(autojump_clock: Clock) -> None:
    client, sender = Client(), ValueSender(TrioClock())
    assert await put_to_all(sender, client, [PEER, OTHER], requests(1)[0]) == 2
    client.fault = StreamResetError("refused")
    assert await put_to_all(sender, client, [PEER, OTHER], requests(1)[0]) == 0


async def test_corrections_are_bounded(autojump_clock: Clock) -> None:
    client, sender = Client(), ValueSender(TrioClock())
    correction = ValueCorrection(sender)
    peers = [peer_id(number) for number in range(30)]
    for number in range(100):
        correction.offer(client, peers, b"d:%d" % number, b"v")
    correction.offer(client, [], b"d:none", b"v")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(correction.run)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert len(client.asked) == 64 * 20


async def test_who_refuses_is_not_corrected(autojump_clock: Clock) -> None:
    client, sender = Client(StreamResetError("refused")), ValueSender(TrioClock())
    correction = ValueCorrection(sender)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(correction.run)
        for number in range(6):
            correction.offer(client, [PEER, OTHER], b"d:%d" % number, b"v")
            await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert len(client.asked) == 2 * 3
