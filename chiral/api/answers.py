"""Answers that take time: each is produced by a task that is cancelled when the client goes away.

A producer that fails before its first byte is answered with the fault's status; after it, a line stream ends with an
error line, and a byte stream breaks off, so that no client takes a part for the whole.
"""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import trio
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from chiral.api.faults import fault_of

_log = logging.getLogger("chiral.api")

BYTES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
"""What OpenAPI says of a route that answers with bytes."""
PROGRESS_INTERVAL_S = 0.1
HEARTBEAT_S = 10.0
"""A line stream that has begun never stays silent longer, so that a client may give up on a dead node."""


class Answer(Response, ABC):
    """Runs `work` while watching the client, then `end` or `fail`; subclasses say what is sent.

    The end is sent after the watching is over, because the server reports the request as closed while it sends that,
    and cancelling it then would leave the connection neither closed nor ready for the next request.
    """

    def __init__(self) -> None:
        super().__init__()
        self.started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failure: Exception | None = None
        gone = False

        async def watch(work: trio.CancelScope) -> None:
            nonlocal gone
            while (await receive())["type"] != "http.disconnect":
                pass
            gone = True
            work.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, nursery.cancel_scope)
            try:
                await self.work(send)
            except Exception as error:  # dealt with below, outside the nursery that would wrap what is raised
                failure = error
            nursery.cancel_scope.cancel()
        if gone:
            return
        if failure is not None:
            await self.fail(failure, send)
        else:
            await self.end(send)

    @abstractmethod
    async def work(self, send: Send) -> None:
        """Produce the answer, sending what can be sent meanwhile; cancelled when the client goes away."""

    async def end(self, send: Send) -> None:
        """Send what is left of an answer that was produced."""
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, error: Exception, send: Send) -> None:
        """End an answer whose work failed; raising leaves it to the application's error handlers."""
        raise error

    async def begin(self, send: Send, headers: Mapping[str, str]) -> None:
        """Send status 200 and `headers`, once."""
        if not self.started:
            self.started = True
            raw = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
            await send({"type": "http.response.start", "status": 200, "headers": raw})


class LateAnswer(Answer):
    """One JSON value that takes a while."""

    def __init__(self, produce: Callable[[], Awaitable[BaseModel]]) -> None:
        super().__init__()
        self._produce = produce
        self._made: BaseModel | None = None

    async def work(self, send: Send) -> None:
        self._made = await self._produce()

    async def end(self, send: Send) -> None:
        made = JSONResponse(None if self._made is None else self._made.model_dump(mode="json"))
        await send({"type": "http.response.start", "status": 200, "headers": made.raw_headers})
        await send({"type": "http.response.body", "body": made.body, "more_body": False})


class ByteSink:
    """Where a producer of bytes sends them: first `begin` with the headers, then parts."""

    def __init__(self, answer: Answer, send: Send) -> None:
        self._answer = answer
        self._send = send

    async def begin(self, headers: Mapping[str, str]) -> None:
        """Commit to status 200 and these headers."""
        await self._answer.begin(self._send, headers)

    async def write(self, part: bytes) -> None:
        """Send one part, waiting while the client does not read."""
        await self._send({"type": "http.response.body", "body": part, "more_body": True})


class ByteAnswer(Answer):
    """Bytes as they come. `on_break` hears of the fault of an answer that broke off after it began."""

    def __init__(
        self, produce: Callable[[ByteSink], Awaitable[None]], on_break: Callable[[Exception], None] | None = None
    ) -> None:
        super().__init__()
        self._produce = produce
        self._on_break = on_break

    async def work(self, send: Send) -> None:
        await self._produce(ByteSink(self, send))

    async def fail(self, error: Exception, send: Send) -> None:
        if not self.started:
            raise error
        _log.info("a download broke off: %s", error)
        if self._on_break is not None:
            self._on_break(error)


class LineSink:
    """Where a producer of lines sends them: items and progress; the result is what the producer returns."""

    def __init__(self, answer: Answer, send: Send) -> None:
        self._answer = answer
        self._send = send
        self._news = trio.Event()
        self._over = trio.Event()
        self._progress: tuple[int, int | None] = (0, None)
        self._one_at_a_time = trio.Lock()

    async def item(self, value: BaseModel) -> None:
        """Send one item now."""
        await self.items([value])

    async def items(self, values: Sequence[BaseModel]) -> None:
        """Send items now, a line each, in one part: much cheaper than one after another."""
        await self._send_lines([{"type": "item", "value": value.model_dump(mode="json")} for value in values])

    def progress(self, done: int, total: int | None) -> None:
        """Note how far the work has come; it is sent soon, and only the newest figure is."""
        self._progress = (done, total)
        self._news.set()

    async def line(self, content: dict[str, Any]) -> None:
        """Send one line."""
        await self._send_lines([content])

    async def _send_lines(self, contents: Sequence[dict[str, Any]]) -> None:
        text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in contents)
        async with self._one_at_a_time:  # the headers must be out before a line of another task
            await self._answer.begin(self._send, {"content-type": "application/x-ndjson", "cache-control": "no-store"})
            await self._send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def report(self) -> None:
        """Send progress as it is noted, and a heartbeat once the stream has begun, until `finish`."""
        while not self._over.is_set():
            with trio.move_on_after(HEARTBEAT_S):
                await self._news.wait()
            if self._over.is_set():
                return
            if self._news.is_set() or self._answer.started:
                self._news = trio.Event()
                done, total = self._progress
                await self.line({"type": "progress", "done": done, "total": total})
            with trio.move_on_after(PROGRESS_INTERVAL_S):
                await self._over.wait()

    def finish(self) -> None:
        """Let `report` return. It is not cancelled, because a line, or the headers, may be half-way out."""
        self._over.set()
        self._news.set()


class LineAnswer(Answer):
    """NDJSON: lines of `type` progress, item, and at the end exactly one of `result` or `error`."""

    def __init__(self, produce: Callable[[LineSink], Awaitable[BaseModel]]) -> None:
        super().__init__()
        self._produce = produce

    async def work(self, send: Send) -> None:
        sink = LineSink(self, send)
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sink.report)
            try:
                result = await self._produce(sink)
            except Exception as error:  # raised below, outside the nursery, which would cancel what is being sent
                failure = error
            sink.finish()
        if failure is not None:
            raise failure
        await sink.line({"type": "result", "value": result.model_dump(mode="json")})

    async def fail(self, error: Exception, send: Send) -> None:
        if not self.started:
            raise error
        await LineSink(self, send).line({"type": "error", "error": fault_of(error).model_dump()})
        await self.end(send)
