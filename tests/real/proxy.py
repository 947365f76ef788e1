"""A proxy before an S3 server that answers some requests as no server should."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto

import trio

_RECEIVE_BYTES = 1 << 16
_HEAD_END = b"\r\n\r\n"
_FAILED = b"<Error><Code>InternalError</Code><Message>a disk is gone</Message></Error>"
_PAGE = b"<html><body>Welcome to this network. Please log in.</body></html>"


class Meddling(Enum):
    """What is done to a request."""

    NONE = auto()
    REFUSED = auto()
    """Answered with 500, and not carried out."""
    DROPPED = auto()
    """Carried out, and the connection closed without an answer."""
    SILENT = auto()
    """Never answered."""
    WRONG = auto()
    """Answered with one byte of the body changed."""
    SHORT = auto()
    """Answered with half of the body, then the connection is closed."""
    PAGE = auto()
    """Answered with a page of something that is not S3."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request's first line, and all of its bytes."""

    method: str
    target: str
    raw: bytes


Meddle = Callable[[Request], Meddling]


class Proxy:
    """Forwards to a port of loopback; `meddle` is asked about each request, of which `requests` keeps count."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream = upstream_port
        self.meddle: Meddle = lambda request: Meddling.NONE
        self.requests: list[Request] = []

    async def serve(self, client: trio.SocketStream) -> None:
        """One connection, to its end."""
        buffer = bytearray()
        async with client:
            try:
                while (raw := await _message(client, buffer, has_body=True)) is not None:
                    method, target, _ = raw.split(b"\r\n", 1)[0].decode().split(" ")
                    request = Request(method, target, raw)
                    self.requests.append(request)
                    if not await self._answer(client, request, self.meddle(request)):
                        return
            except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
                return

    async def _answer(self, client: trio.SocketStream, request: Request, how: Meddling) -> bool:
        """Whether the connection goes on."""
        if how is Meddling.SILENT:
            await trio.sleep_forever()
        if how is Meddling.REFUSED:
            await client.send_all(_plain("500 Internal Server Error", b"" if request.method == "HEAD" else _FAILED))
            return True
        if how is Meddling.PAGE:
            await client.send_all(_plain("200 OK", _PAGE))
            return True
        answer = await self._forward(request)
        if how is Meddling.DROPPED:
            return False
        head, end, body = answer.partition(_HEAD_END)
        if how is Meddling.SHORT:
            await client.send_all(head + end + body[: len(body) // 2])
            return False
        if how is Meddling.WRONG and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        await client.send_all(head + end + body)
        return True

    async def _forward(self, request: Request) -> bytes:
        async with await trio.open_tcp_stream("127.0.0.1", self._upstream) as server:
            await server.send_all(request.raw)
            answer = await _message(server, bytearray(), has_body=request.method != "HEAD")
        if answer is None:
            raise trio.BrokenResourceError("the server is gone")
        return answer


@asynccontextmanager
async def running(upstream_port: int) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before the port, and where it is."""
    proxy = Proxy(upstream_port)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, proxy.serve, listeners)
        yield proxy, f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def _message(stream: trio.SocketStream, buffer: bytearray, *, has_body: bool) -> bytes | None:
    """The next request or response whole, or None where the stream ends; what follows it stays in `buffer`."""
    while _HEAD_END not in buffer:
        if not await _fill(stream, buffer):
            return None
    at = buffer.index(_HEAD_END) + len(_HEAD_END)
    head = bytes(buffer[:at]).lower()
    if not has_body:
        end = at
    elif b"transfer-encoding: chunked" in head:
        while not buffer.endswith(b"0\r\n\r\n"):
            if not await _fill(stream, buffer):
                return None
        end = len(buffer)
    else:
        _, _, rest = head.partition(b"\r\ncontent-length:")
        end = at + int(rest.split(b"\r\n", 1)[0] or b"0")
        while len(buffer) < end:
            if not await _fill(stream, buffer):
                return None
    message = bytes(buffer[:end])
    del buffer[:end]
    return message


async def _fill(stream: trio.SocketStream, buffer: bytearray) -> bool:
    data = await stream.receive_some(_RECEIVE_BYTES)
    buffer += data
    return bool(data)


def _plain(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
