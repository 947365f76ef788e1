"""A host begins and ends: it says good-bye to all at once, waits for nobody, and leaves nothing bound."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.testing

from chiral.errors import (
    ListenError,
    StreamResetError,
    UnsupportedProtocolError,
)
from chiral.host.addresses import endpoint_of
from chiral.host.connection import Connection
from chiral.host.host import Host
from chiral.host.multistream import opening
from chiral.interface.peer import PeerId
from chiral.interface.streams import Stream
from tests.host.running import ANSWER, TEST_S, free_port, info_of, make_host, raw_peer, running, settled


async def test_a_host_says_good_bye_to_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty connections are closed side by side: each close waits here until all thirty have begun."""
    server = make_host(250)
    clients = [make_host(number, listen=()) for number in range(30)]
    begun, all_begun = 0, trio.Event()
    close = Connection.close

    async def close_together(connection: Connection) -> None:
        nonlocal begun
        if connection.direction == "inbound":
            begun += 1
            if begun == len(clients):
                all_begun.set()
            await all_begun.wait()
        await close(connection)

    with trio.fail_after(TEST_S):
        async with running(*clients):
            async with server.run():
                for client in clients:
                    await client.connect(info_of(server))
                await settled(lambda: len(server.connections()) == 30)
                ports = [endpoint_of(addr) for addr in server.listen_addrs()]
                monkeypatch.setattr(Connection, "close", close_together)
            assert all_begun.is_set()
            assert server.connections() == []
            await settled(lambda: all(client.connections() == [] for client in clients))
            for endpoint in ports:
                assert endpoint is not None
                with pytest.raises(OSError, match="failed"):
                    await trio.open_tcp_stream(endpoint.host, endpoint.port)


@pytest.mark.usefixtures("nobody_held")
async def test_a_peer_that_does_not_read_does_not_hold_up_the_end() -> None:
    async def pour(stream: Stream) -> None:
        while True:
            await stream.write(bytes(1 << 16))

    server = make_host(250)
    server.serve(ANSWER, pour)
    with trio.fail_after(TEST_S):
        async with server.run(), raw_peer(server) as raw:
            await (await raw.open()).finish(opening(ANSWER))
            await settled(lambda: server.connections()[0].streams == 1)
            with trio.fail_after(5):
                await server._close()


async def test_streams_under_way_break_off_at_the_end() -> None:
    began = trio.Event()

    async def hold(stream: Stream) -> None:
        began.set()
        await trio.sleep_forever()

    one, two = make_host(1), make_host(2)
    with trio.fail_after(TEST_S):
        async with one.run(), trio.open_nursery() as nursery, two.run():
            two.serve(ANSWER, hold)
            await one.connect(info_of(two))
            nursery.start_soon(expect_reset, one, two.local_peer)
            await began.wait()


async def expect_reset(host: Host, peer: PeerId) -> None:
    with pytest.raises(StreamResetError):
        await host.request(peer, ANSWER, b"", limit_bytes=9)


async def test_a_host_that_cannot_listen_says_where_and_leaves_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}"
        first = free_port()
        host = make_host(1, listen=(f"/ip4/127.0.0.1/tcp/{first}", text))
        with pytest.raises(ListenError, match=text):
            async with host.run():
                raise AssertionError("it must not run")
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", first)) != 0


async def test_an_error_within_the_block_comes_out_bare() -> None:
    with pytest.raises(UnsupportedProtocolError):
        async with make_host(1).run():
            raise UnsupportedProtocolError("from within")
