"""A request's body on its way to the application: bounded, given up on when it falls silent, never left in the way."""

from __future__ import annotations

import trio
from starlette.types import Message, Receive, Send

from chiral.api.faults import Fault

MAX_PLAIN_BODY_BYTES = 1 << 20
"""Longest body of a request that is not an upload; uploads are streamed, and bounded where they are read."""
_DRAIN_BYTES = 64 << 20
_DRAIN_S = 5.0
_DISCONNECT = "http.disconnect"


class RequestBody:
    """Stands between the server's `receive` and `send` and the application's, for one request."""

    def __init__(self, receive: Receive, send: Send, *, idle_s: float, bounded: bool) -> None:
        self._receive = receive
        self._send = send
        self._idle_s = idle_s
        self._left = MAX_PLAIN_BODY_BYTES if bounded else None
        self._whole = False
        self._gone = False
        self.answered = False
        """Whether the application has sent its answer to the end."""

    def refusal(self, headers: dict[bytes, bytes]) -> tuple[int, Fault] | None:
        """`(status, fault)` if the announced length is over the limit."""
        announced = headers.get(b"content-length", b"0")
        if self._left is not None and announced.isdigit() and int(announced) > self._left:
            return 413, Fault(code="too_large", message=f"the body is over the limit of {self._left} bytes")
        return None

    async def receive(self) -> Message:
        """The next part; a body over its limit or silent for too long reads as a client that went away."""
        if self._whole or self._gone:
            return await self._next()
        with trio.move_on_after(self._idle_s):
            message = await self._next()
            if self._left is None:
                return message
            self._left -= len(message.get("body", b""))
            if self._left >= 0:
                return message
        return {"type": _DISCONNECT}

    async def send(self, message: Message) -> None:
        """Pass `message` on; before the last part of an answer, read what the client still sends, within bounds.

        Otherwise the server would close a connection with unread bytes, and the reset could reach the client before the
        answer; and it would wait for ever to queue the end of the request behind parts that nobody reads.
        """
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if last and not (self._whole or self._gone):
            await self._drain()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.discard)
                await self._send(message)
                nursery.cancel_scope.cancel()
        else:
            await self._send(message)
        self.answered = self.answered or last

    async def discard(self) -> None:
        """Read and forget whatever comes until the connection is gone."""
        while not self._gone:
            await self._next()

    async def _drain(self) -> None:
        drained = 0
        with trio.move_on_after(_DRAIN_S):
            while not (self._whole or self._gone) and drained < _DRAIN_BYTES:
                drained += len((await self._next()).get("body", b""))

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == _DISCONNECT:
            self._gone = True
        elif not message.get("more_body", False):
            self._whole = True
        return message
