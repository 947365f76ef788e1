"""One request on one stream: answers, retries, deadlines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.lowlevel
from trio.abc import Clock

from chiral.errors import (
    PeerUnreachableError,
    ProtocolError,
    RequestTimeoutError,
    StreamResetError,
    UnsupportedProtocolError,
)
from chiral.interface.streams import Stream
from chiral.kad.framing import frame_message
from chiral.kad.messages import Message, MessageType
from chiral.routing.client import KadClient
from chiral.routing.inbox import Inbox
from chiral.routing.settings import KadSettings
from tests.fakes.link import FakeStream
from tests.fakes.stream_node import FakeNode, peer_id
from tests.routing.net import KAD, Net, Scripted, running

ASK = Message(MessageType.FIND_NODE, b"key")


async def pair(net: Net, handler: Callable[[Stream], Awaitable[None]] | None) -> tuple[KadClient, FakeNode, FakeNode]:
    """A client, its node, and the node it asks."""
    asker, asked = net.fake(1), net.fake(2)
    if handler is not None:
        asked.serve(KAD, handler)
    asker.add_addrs(asked.local_peer, asked.listen_addrs(), ttl_s=1e6)
    return KadClient(asker, asker, KAD, KadSettings()), asker, asked


async def test_an_answer_comes_back_and_the_stream_is_gone(autojump_clock: Clock) -> None:
    async with running() as net:
        answer = Message(MessageType.FIND_NODE, b"other")
        client, asker, asked = await pair(net, handler := Scripted(answer))
        assert await client.request(asked.local_peer, ASK) == answer
        assert handler.requests == [ASK]
        await trio.lowlevel.checkpoint()
        assert asker.open_streams() == 0


async def test_a_reset_is_tried_once_more(autojump_clock: Clock) -> None:
    failures = iter([True, False])

    async def once(stream: Stream) -> None:
        await stream.read(1000)
        if next(failures):
            raise ProtocolError("closing just now")
        await stream.write(frame_message(ASK))

    async with running() as net:
        client, _, asked = await pair(net, once)
        assert await client.request(asked.local_peer, ASK) == ASK


@pytest.mark.parametrize(("losses", "served"), [(5, True), (6, False)])
async def test_connections_lost_under_a_stream_are_made_anew(autojump_clock: Clock, losses: int, served: bool) -> None:
    calls = 0

    async def lose(stream: Stream) -> None:
        nonlocal calls
        calls += 1
        await stream.read(1000)
        if calls <= losses:
            net.swarm.nodes[peer_id(2)].close_all()
        await stream.write(frame_message(ASK))

    async with running() as net:
        client, asker, asked = await pair(net, lose)
        if served:
            assert await client.request(asked.local_peer, ASK) == ASK
        else:
            with pytest.raises(StreamResetError):
                await client.request(asked.local_peer, ASK)
        assert calls == 6
        assert len(asker.connections()) <= 1


async def test_a_connection_lost_after_the_answer_does_not_matter(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(stream: FakeStream) -> None:
        if stream.peer == asked.local_peer:
            stream.break_()
            raise StreamResetError("connection died")

    async with running() as net:
        client, asker, asked = await pair(net, handler := Scripted(ASK))
        monkeypatch.setattr(FakeStream, "close", gone)
        assert await client.request(asked.local_peer, ASK) == ASK
        assert len(handler.requests) == 1
        assert asker.open_streams() == 0


async def test_two_resets_are_an_error(autojump_clock: Clock) -> None:
    calls = []

    async def refuse(stream: Stream) -> None:
        calls.append(stream.peer)
        raise ProtocolError("no")

    async with running() as net:
        client, _, asked = await pair(net, refuse)
        with pytest.raises(StreamResetError):
            await client.request(asked.local_peer, ASK)
        assert len(calls) == 2


async def test_an_end_without_an_answer_is_a_reset(autojump_clock: Clock) -> None:
    async def leave(stream: Stream) -> None:
        await stream.read(1000)

    async with running() as net:
        client, _, asked = await pair(net, leave)
        with pytest.raises(StreamResetError, match="without an answer"):
            await client.request(asked.local_peer, ASK)


async def test_an_answer_of_another_type_is_an_error(autojump_clock: Clock) -> None:
    async with running() as net:
        client, asker, asked = await pair(net, Scripted(Message(MessageType.PING)))
        with pytest.raises(ProtocolError, match="FIND_NODE with PING"):
            await client.request(asked.local_peer, ASK)
        assert asker.open_streams() == 0


async def test_silence_ends_at_the_deadline(autojump_clock: Clock) -> None:
    async def wait(stream: Stream) -> None:
        await trio.sleep_forever()

    async with running() as net:
        client, asker, asked = await pair(net, wait)
        start = trio.current_time()
        with pytest.raises(RequestTimeoutError, match="10 s"):
            await client.request(asked.local_peer, ASK)
        assert trio.current_time() - start == pytest.approx(10)
        with pytest.raises(RequestTimeoutError):
            await client.tell(asked.local_peer, [ASK])
        assert asker.open_streams() == 0


async def test_who_cannot_be_asked(autojump_clock: Clock) -> None:
    async with running() as net:
        client, _, asked = await pair(net, None)
        with pytest.raises(UnsupportedProtocolError):
            await client.request(asked.local_peer, ASK)
        with pytest.raises(PeerUnreachableError):
            await client.request(peer_id(3), ASK)


async def test_telling_waits_until_all_was_read(autojump_clock: Clock) -> None:
    read: list[Message] = []

    async def slow(stream: Stream) -> None:
        inbox = Inbox(stream)
        while (message := await inbox.next()) is not None:
            await trio.sleep(1)
            read.append(message)

    async with running() as net:
        client, _, asked = await pair(net, slow)
        await client.tell(asked.local_peer, [ASK, ASK, ASK])
        assert read == [ASK, ASK, ASK]


async def test_streams_to_one_peer_are_bounded_and_waiting_is_not_blamed(autojump_clock: Clock) -> None:
    open_now = peak = 0

    async def slow(stream: Stream) -> None:
        nonlocal open_now, peak
        open_now += 1
        peak = max(peak, open_now)
        await stream.read(1000)
        await trio.sleep(8)
        open_now -= 1
        await stream.write(frame_message(ASK))

    async with running() as net:
        client, _, asked = await pair(net, slow)
        done = []

        async def ask() -> None:
            done.append(await client.request(asked.local_peer, ASK))

        async with trio.open_nursery() as nursery:
            for _ in range(40):
                nursery.start_soon(ask)
        assert len(done) == 40
        assert peak == 16
        assert client._slots == {}


async def test_cancelling_resets_the_stream(autojump_clock: Clock) -> None:
    ended: list[type[BaseException]] = []

    async def watch(stream: Stream) -> None:
        await stream.read(1000)
        try:
            await stream.read(1000)
            await trio.sleep(5)
            await stream.write(b"x")
        except StreamResetError as error:
            ended.append(type(error))

    async with running() as net:
        client, asker, asked = await pair(net, watch)
        with trio.move_on_after(1):
            await client.request(asked.local_peer, ASK)
        await trio.sleep(10)
        assert ended == [StreamResetError]
        assert asker.open_streams() == 0
