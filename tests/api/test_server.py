"""Serving a node: readiness, shutdown on time whatever clients do, signals, limits on connections."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from chiral.api.endpoint import ENDPOINT_FILE, TOKEN_FILE, Endpoint, read_endpoint, read_token
from chiral.api.server import Ready, serve_api, serve_node
from chiral.config.model import NodeConfig
from chiral.errors import ListenError, StoreLockedError
from tests.api.conftest import Served
from tests.fakes.files import CHUNK_BYTES
from tests.fakes.node import FakeNode

ROOT = Path(__file__).parents[2]
BIG = bytes(64 * CHUNK_BYTES)


def config_of(folder: Path, **api: Any) -> NodeConfig:
    return NodeConfig.model_validate({"data_dir": folder / "node", "api": api})


def served_at(node: FakeNode, endpoint: Endpoint) -> Served:
    return Served(node, endpoint, read_token(node.config.data_dir / TOKEN_FILE), trio.Event())


async def get(url: str, token: str) -> bytes:
    host, _, port = url.removeprefix("http://").rpartition(":")
    stream = await trio.open_tcp_stream(host, int(port))
    head = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    await stream.send_all(f"GET /api/v1/id HTTP/1.1\r\n{head}".encode())
    got = b""
    while part := await stream.receive_some():
        got += part
    return got


async def test_ready_comes_when_both_listeners_answer_and_the_end_cleans_up(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    node = FakeNode(config)
    seen: list[Ready] = []
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            was_ready = trio.Event()

            def on_ready(ready: Ready) -> None:
                seen.append(ready)
                was_ready.set()

            async def serve() -> None:
                await serve_node(config, on_ready, open_node=lambda _: node)

            nursery.start_soon(serve)
            await was_ready.wait()
            token = (config.data_dir / TOKEN_FILE).read_text().strip()
            assert b"200" in await get(seen[0].api, token)
            assert read_endpoint(config.data_dir).url == seen[0].api
            assert seen[0].socket.is_socket()
            os.kill(os.getpid(), signal.SIGTERM)
    assert node.closed
    assert [entry.name for entry in config.data_dir.iterdir()] == [TOKEN_FILE]


async def test_a_node_that_does_not_open_leaves_the_other_nodes_files(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    config.data_dir.mkdir()
    (config.data_dir / ENDPOINT_FILE).write_text("another's")

    class Locked(FakeNode):
        async def __aenter__(self) -> FakeNode:
            raise StoreLockedError("the directory is in use by another node")

    with pytest.raises(StoreLockedError):
        await serve_node(config, lambda ready: None, open_node=Locked)
    assert (config.data_dir / ENDPOINT_FILE).read_text() == "another's"


async def test_a_signal_before_the_node_is_ready_ends_its_start(tmp_path: Path) -> None:
    class Slow(FakeNode):
        async def __aenter__(self) -> FakeNode:
            os.kill(os.getpid(), signal.SIGINT)
            await trio.sleep_forever()
            raise AssertionError

    with trio.fail_after(10):
        await serve_node(config_of(tmp_path), lambda ready: None, open_node=Slow)


async def test_a_second_signal_cuts_a_slow_end_short(tmp_path: Path) -> None:
    class Slow(FakeNode):
        async def __aexit__(self, *error: object) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            await trio.sleep_forever()

    with trio.fail_after(10):
        await serve_node(
            config_of(tmp_path), lambda ready: os.kill(os.getpid(), signal.SIGTERM), open_node=lambda c: Slow(c)
        )


async def test_a_port_in_use_ends_the_node_with_one_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = config_of(tmp_path, listen=f"127.0.0.1:{taken.getsockname()[1]}")
        node = FakeNode(config)
        with pytest.raises(ListenError, match="for the API"):
            await serve_node(config, lambda ready: None, open_node=lambda _: node)
    assert node.closed


async def test_a_socket_that_cannot_be_bound_gives_the_port_back(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    async with FakeNode(config) as node:
        (config.data_dir / "api.sock").write_text("in the way")
        with pytest.raises(ListenError, match="in the way"):
            async with serve_api(node, trio.Event(), {}):
                pass


async def test_shutdown_does_not_wait_for_clients(tmp_path: Path) -> None:
    """Idle, half-sent, streaming, and such as never read: all are gone soon after the end."""
    config = config_of(tmp_path, shutdown_grace_s=0.1)
    with trio.fail_after(10):
        async with FakeNode(config) as node:
            cid = node.files.hold(BIG, "big")
            async with serve_api(node, trio.Event(), {}) as endpoint:
                token = (config.data_dir / TOKEN_FILE).read_text().strip()
                port = int(endpoint.url.rpartition(":")[2])
                head = f"HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n".encode()
                starts = (
                    b"",
                    b"GET /api/v1/id HTT",
                    b"PUT /api/v1/files?name=x " + head + b"Content-Length: 100\r\n\r\nabc",
                    f"GET /api/v1/files/{cid}/content ".encode() + head + b"\r\n",
                )
                streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in starts * 8]
                for stream, start in zip(streams, starts * 8, strict=True):
                    await stream.send_all(start)
                streams.append(await trio.open_unix_socket(endpoint.socket))
                for stream in streams[3::4]:
                    assert await stream.receive_some(16)
                ending = trio.current_time()
            assert trio.current_time() - ending < 1.0
            for stream in streams:
                await trio.aclose_forcefully(stream)


async def test_cancelling_the_server_does_not_wait_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    with trio.fail_after(10):
        async with FakeNode(config_of(tmp_path)) as node:
            cid = node.files.hold(BIG, "big")
            with trio.CancelScope() as scope:
                async with serve_api(node, trio.Event(), {}) as endpoint:
                    served = served_at(node, endpoint)
                    stream = await served.connect()
                    await stream.send_all(served.head("GET", f"/files/{cid}/content"))
                    assert await stream.receive_some(16)
                    scope.cancel()
                    await trio.sleep_forever()
            await trio.aclose_forcefully(stream)
    assert scope.cancelled_caught


async def test_connections_over_the_limit_are_closed_and_others_served(tmp_path: Path) -> None:
    config = config_of(tmp_path, max_connections=2)
    async with FakeNode(config) as node, serve_api(node, trio.Event(), {}) as endpoint:
        served = served_at(node, endpoint)

        async def ask(stream: trio.SocketStream) -> bytes:
            try:
                await stream.send_all(served.head("GET", "/id"))
                return bytes(await stream.receive_some())
            except trio.BrokenResourceError:
                return b""

        with trio.fail_after(10):
            async with await served.connect() as first, await served.connect() as second:
                for stream in (first, second):
                    assert (await ask(stream)).startswith(b"HTTP/1.1 200")
                async with await served.connect() as third:
                    assert await ask(third) == b""
                await first.aclose()
                answer = b""
                while not answer:  # until the server has seen that the first is gone, which is soon
                    async with await served.connect() as again:
                        answer = await ask(again)
                assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/v1/id HTTP/1.1\r\n\r\n",
        bytes(20_000),
        b"A" * 70_000,
    ],
)
async def test_what_is_not_http_ends_that_connection_alone(served: Served, request_bytes: bytes) -> None:
    with trio.fail_after(10):
        stream = await served.connect()
        try:
            await stream.send_all(request_bytes)
            assert b" 200 " not in await stream.receive_some()
        except trio.BrokenResourceError:
            pass
        async with served.tcp() as client:
            assert (await client.get("/id")).status_code == 200


async def test_one_connection_carries_many_requests(served: Served) -> None:
    cid = served.node.files.hold(b"x" * 100, "f")
    with trio.fail_after(10):
        stream = await served.connect()
        for path in ("/id", f"/files/{cid}/content", f"/dht/providers/{cid}", "/dht/closest/" + str(cid), "/nope") * 3:
            await stream.send_all(served.head("GET", path))
            got = b""
            while not (got.endswith((b"}", b"0\r\n\r\n", b"x" * 100))):
                part = await stream.receive_some()
                assert part, path
                got += part


def start(folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.node", str(folder), *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_process_cleanly(tmp_path: Path, number: int) -> None:
    process, ready = start(tmp_path / "node")
    with process:
        assert ready["event"] == "ready"
        process.send_signal(number)
        assert process.wait(10) == 0
    assert not (tmp_path / "node" / ENDPOINT_FILE).exists()


def test_what_a_killed_node_left_is_replaced(tmp_path: Path) -> None:
    process, _ = start(tmp_path / "node")
    with process:
        process.kill()
    assert (tmp_path / "node" / "api.sock").exists()
    process, ready = start(tmp_path / "node")
    with process:
        assert read_endpoint(tmp_path / "node").url == ready["api"]
        process.terminate()
        assert process.wait(10) == 0
