"""Answers that take time: lines, their heartbeat, and what happens when the work fails. On virtual time."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from pydantic import BaseModel
from trio.testing import MockClock

from chiral.api.answers import HEARTBEAT_S, PROGRESS_INTERVAL_S, ByteAnswer, ByteSink, LateAnswer, LineAnswer, LineSink
from chiral.errors import IntegrityError


class Value(BaseModel):
    n: int


class Client:
    """The other side of an answer: goes away when `leaves` is set."""

    def __init__(self) -> None:
        self.leaves = trio.Event()
        self.messages: list[Any] = []

    async def receive(self) -> Any:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await trio.lowlevel.checkpoint()
        self.messages.append(message)

    async def take(self, answer: Any) -> None:
        await answer({"type": "http"}, self.receive, self.send)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def ended(self) -> bool:
        return bool(self.messages) and self.messages[-1].get("more_body") is False


async def test_only_the_newest_progress_is_sent(autojump_clock: MockClock) -> None:
    async def work(sink: LineSink) -> Value:
        for done in range(1000):
            sink.progress(done, 1000)
            await trio.sleep(PROGRESS_INTERVAL_S / 100)
        return Value(n=1)

    client = Client()
    await client.take(LineAnswer(work))
    *progress, result = client.lines
    assert 9 <= len(progress) <= 12
    assert [line["done"] for line in progress] == sorted(line["done"] for line in progress)
    assert result == {"type": "result", "value": {"n": 1}}
    assert client.ended


async def test_a_stream_that_has_begun_is_never_silent_for_long(autojump_clock: MockClock) -> None:
    async def work(sink: LineSink) -> Value:
        sink.progress(1, None)
        await trio.sleep(10 * HEARTBEAT_S)
        return Value(n=1)

    client = Client()
    await client.take(LineAnswer(work))
    assert 9 <= len(client.lines) <= 12
    assert client.lines[3] == {"type": "progress", "done": 1, "total": None}


async def test_a_stream_that_has_not_begun_stays_free_to_fail_with_a_status(autojump_clock: MockClock) -> None:
    async def work(sink: LineSink) -> Value:
        await trio.sleep(10 * HEARTBEAT_S)
        raise IntegrityError("bad")

    client = Client()
    with pytest.raises(IntegrityError):
        await client.take(LineAnswer(work))
    assert client.messages == []


async def test_a_fault_after_the_beginning_is_the_last_line(autojump_clock: MockClock) -> None:
    async def work(sink: LineSink) -> Value:
        await sink.item(Value(n=1))
        raise IntegrityError("bad", hint="h")

    client = Client()
    await client.take(LineAnswer(work))
    assert client.lines == [
        {"type": "item", "value": {"n": 1}},
        {"type": "error", "error": {"code": "integrity", "message": "bad", "hint": "h"}},
    ]
    assert client.ended


async def test_an_unforeseen_fault_is_only_called_internal(caplog: pytest.LogCaptureFixture) -> None:
    async def work(sink: LineSink) -> Value:
        await sink.item(Value(n=1))
        raise RuntimeError("detail")

    client = Client()
    await client.take(LineAnswer(work))
    assert client.lines[-1]["error"]["code"] == "internal"
    assert "detail" not in client.body.decode()
    assert "detail" in caplog.text


async def test_a_client_that_leaves_cancels_the_work(autojump_clock: MockClock) -> None:
    client = Client()
    cancelled = False

    async def work(sink: LineSink) -> Value:
        nonlocal cancelled
        await sink.item(Value(n=1))
        client.leaves.set()
        try:
            await trio.sleep_forever()
        finally:
            cancelled = True
        return Value(n=2)

    await client.take(LineAnswer(work))
    assert cancelled
    assert not client.ended


async def test_a_late_answer_comes_whole() -> None:
    async def work() -> Value:
        return Value(n=3)

    client = Client()
    await client.take(LateAnswer(work))
    assert json.loads(client.body) == {"n": 3}
    assert client.ended


async def test_bytes_that_break_off_are_not_ended_and_told_of() -> None:
    told: list[Exception] = []

    async def work(sink: ByteSink) -> None:
        await sink.begin({"content-length": "9"})
        await sink.write(b"abc")
        raise IntegrityError("bad")

    client = Client()
    await client.take(ByteAnswer(work, told.append))
    assert (client.body, client.ended) == (b"abc", False)
    assert str(told[0]) == "bad"


async def test_bytes_that_break_off_need_no_listener() -> None:
    async def work(sink: ByteSink) -> None:
        await sink.begin({})
        raise IntegrityError("bad")

    client = Client()
    await client.take(ByteAnswer(work))
    assert not client.ended


@pytest.mark.parametrize("fails", [False, True])
async def test_work_that_ends_while_the_headers_are_going_out(autojump_clock: MockClock, fails: bool) -> None:
    class SlowClient(Client):
        async def send(self, message: Any) -> None:
            await trio.sleep(5)
            self.messages.append(message)

    async def work(sink: LineSink) -> Value:
        sink.progress(1, 1)
        await trio.sleep(1)
        if fails:
            raise IntegrityError("bad")
        return Value(n=1)

    client = SlowClient()
    await client.take(LineAnswer(work))
    assert [message["type"] for message in client.messages][:2] == ["http.response.start", "http.response.body"]
    assert [line["type"] for line in client.lines] == ["progress", "error" if fails else "result"]
    assert client.ended
