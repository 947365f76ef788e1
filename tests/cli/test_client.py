"""The HTTP client against servers that misbehave."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chiral.cli import client as client_module
from chiral.cli.client import Client, target
from chiral.cli.connection import TcpConnection
from chiral.cli.faults import BrokenAnswerError, SlowNodeError, error_of
from chiral.errors import ChiralError, IntegrityError, NodeNotRunningError, StoreFullError

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MISSING = NodeNotRunningError("no node")


@contextmanager
def server(*answers: bytes, wait: threading.Event | None = None) -> Iterator[Client]:
    """A client of a server that answers connection after connection with these bytes and closes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    while b"\r\n\r\n" not in connection.recv(65536):
                        pass
                    connection.sendall(answer)
                    if wait is not None:
                        wait.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield Client(lambda: TcpConnection("127.0.0.1", port), "token", MISSING, local=False)
        finally:
            if wait is not None:
                wait.set()
            thread.join(10)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        HEAD + b"Content-Length: 10\r\n\r\n{}",
        HEAD + b"Content-Length: 3\r\n\r\n{{{",
        CHUNKED + b"zz\r\n",
    ],
)
def test_answers_that_are_not_whole(answer: bytes) -> None:
    with server(answer) as client, pytest.raises(BrokenAnswerError):
        client.call("GET", "/id")


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + chunk(b'{"type":"progress","done":1,"total":2}\n'),
        CHUNKED + chunk(b'{"type":"progress","done":1,"total":2}\n') + b"0\r\n\r\n",
        CHUNKED + chunk(b'{"type":"result","va'),
        CHUNKED + b"5\r\n{",
    ],
)
def test_lines_without_an_end(answer: bytes) -> None:
    seen: list[Any] = []
    with server(answer) as client, pytest.raises(BrokenAnswerError):
        client.lines("GET", "/x", progress=lambda done, total: seen.append((done, total)))
    assert seen in ([], [(1, 2)])


def test_lines_that_end_with_an_error() -> None:
    line = json.dumps({"type": "error", "error": {"code": "store_full", "message": "m", "hint": "h"}}) + "\n"
    with server(CHUNKED + chunk(line.encode()) + b"0\r\n\r\n") as client, pytest.raises(StoreFullError) as caught:
        client.lines("GET", "/x")
    assert (caught.value.message, caught.value.hint) == ("m", "h")


def test_lines_cut_anywhere_are_put_together() -> None:
    text = '{"type":"item","value":"ä"}\n{"type":"unknown"}\n{"type":"result","value":7}\n'.encode()
    answer = CHUNKED + b"".join(chunk(text[at : at + 1]) for at in range(len(text))) + b"0\r\n\r\n"
    seen: list[Any] = []
    with server(answer) as client:
        assert client.lines("GET", "/x", item=seen.append) == 7
    assert seen == ["ä"]


@pytest.mark.parametrize(
    ("why", "family"),
    [
        ({"code": "integrity", "message": "m", "hint": ""}, IntegrityError),
        (None, BrokenAnswerError),
    ],
)
def test_a_download_that_is_short_asks_why(why: dict[str, str] | None, family: type[ChiralError]) -> None:
    body = json.dumps(why or {"code": "not_found", "message": "m"}).encode()
    status = b"200 OK" if why is not None else b"404 Not Found"
    reason = b"HTTP/1.1 " + status + f"\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    short = HEAD + b"Content-Length: 10\r\nChiral-Download: id\r\n\r\nabc"
    got = b""
    with server(short, reason) as client, client.download("/x") as download:
        parts = iter(download.parts)
        got += next(parts)
        with pytest.raises(family):
            next(parts)
    assert got == b"abc"


def test_a_short_download_of_which_nothing_more_is_known() -> None:
    answer = HEAD + b"Content-Length: 10\r\n\r\n"
    with server(answer) as client, client.download("/x") as download, pytest.raises(BrokenAnswerError):
        next(download.parts)


@pytest.mark.parametrize("answer", [b"", HEAD, HEAD + b"Content-Length: 10\r\n\r\nabc"])
def test_a_node_that_falls_silent(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER_TIMEOUT_S", 0.1)
    with server(answer, wait=threading.Event()) as client, pytest.raises(SlowNodeError):
        client.call("GET", "/id")


def test_a_download_that_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER_TIMEOUT_S", 0.1)
    answer = HEAD + b"Content-Length: 10\r\n\r\n"
    silent = server(answer, wait=threading.Event())
    with silent as client, client.download("/x") as download, pytest.raises(SlowNodeError):
        next(download.parts)


def test_an_error_in_another_shape() -> None:
    answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\n<htm>"
    with server(answer) as client, pytest.raises(ChiralError, match="status 502"):
        client.call("GET", "/id")


def test_an_answer_before_the_upload_was_sent() -> None:
    body = b'{"code": "store_full", "message": "full", "hint": ""}'
    answer = b"HTTP/1.1 507 Insufficient\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(1 << 20)

    with server(answer) as client, pytest.raises((StoreFullError, BrokenAnswerError)):
        client.upload("/files", endless())


@pytest.mark.parametrize("connect", [ConnectionRefusedError, FileNotFoundError, PermissionError, TimeoutError])
def test_no_node_behind_the_address(connect: Callable[[], OSError], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise connect()

    monkeypatch.setattr(TcpConnection, "connect", refuse)
    client = Client(lambda: TcpConnection("127.0.0.1", 1), "token", MISSING, local=False)
    with pytest.raises(NodeNotRunningError):
        client.call("GET", "/id")


def test_targets_are_quoted() -> None:
    assert target("/dht/values/a?b c/d", {"x": "y&z", "none": None}) == "/api/v1/dht/values/a%3Fb%20c/d?x=y%26z"


@pytest.mark.parametrize("fault", [None, [], "text", {}, {"code": "from_the_future", "message": "m"}])
def test_faults_that_are_not_known_still_end_with_1(fault: object) -> None:
    error = error_of(fault)
    assert type(error) is ChiralError
    assert error.exit_code == 1


def test_a_unix_connection_to_nothing(tmp_path: Path) -> None:
    from chiral.cli.connection import UnixConnection

    connection: http.client.HTTPConnection = UnixConnection(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        connection.connect()
