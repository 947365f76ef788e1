"""Request bodies on their way: bounded, timed, drained. Without sockets, on virtual time."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chiral.api.body import MAX_PLAIN_BODY_BYTES, RequestBody

FINAL = {"type": "http.response.body", "body": b"answer", "more_body": False}


class Server:
    """The server's side of one request: parts that are handed out one by one, then silence or the end."""

    def __init__(self, *parts: dict[str, Any]) -> None:
        self.parts = list(parts)
        self.sent: list[Any] = []
        self.taken = 0

    async def receive(self) -> Any:
        await trio.lowlevel.checkpoint()
        if not self.parts:
            await trio.sleep_forever()
        self.taken += 1
        return self.parts.pop(0)

    async def send(self, message: Any) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append(message)


def part(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


GONE = {"type": "http.disconnect"}


def body(server: Server, *, bounded: bool = True) -> RequestBody:
    return RequestBody(server.receive, server.send, idle_s=60, bounded=bounded)


async def test_parts_pass_through() -> None:
    server = Server(part(b"a"), part(b"b", more=False), GONE)
    request = body(server)
    assert [await request.receive() for _ in range(3)] == [part(b"a"), part(b"b", more=False), GONE]


async def test_a_silent_body_reads_as_a_client_that_went_away(autojump_clock: MockClock) -> None:
    request = body(Server(part(b"a")))
    await request.receive()
    began = trio.current_time()
    assert await request.receive() == GONE
    assert trio.current_time() - began == 60


async def test_waiting_for_the_end_of_a_whole_request_has_no_limit(autojump_clock: MockClock) -> None:
    request = body(Server(part(b"a", more=False)))
    await request.receive()
    with trio.move_on_after(100_000) as waited:
        await request.receive()
    assert waited.cancelled_caught


async def test_a_plain_body_over_its_limit_is_cut() -> None:
    request = body(Server(part(bytes(MAX_PLAIN_BODY_BYTES)), part(b"x")))
    assert (await request.receive())["type"] == "http.request"
    assert await request.receive() == GONE


async def test_an_upload_has_no_such_limit() -> None:
    request = body(Server(part(bytes(MAX_PLAIN_BODY_BYTES)), part(b"x")), bounded=False)
    assert [len((await request.receive())["body"]) for _ in range(2)] == [MAX_PLAIN_BODY_BYTES, 1]


@pytest.mark.parametrize(
    ("announced", "bounded", "refused"),
    [(b"1048576", True, False), (b"1048577", True, True), (b"1048577", False, False), (b"x", True, False)],
)
def test_announced_lengths(announced: bytes, bounded: bool, refused: bool) -> None:
    refusal = body(Server(), bounded=bounded).refusal({b"content-length": announced})
    assert (refusal is not None) is refused
    if refusal is not None:
        assert (refusal[0], refusal[1].code) == (413, "too_large")


async def test_an_early_answer_drains_what_the_client_still_sends() -> None:
    server = Server(part(b"a"), part(b"b"), part(b"c", more=False))
    request = body(server)
    await request.send(FINAL)
    assert server.taken == 3
    assert server.sent == [FINAL]
    assert request.answered


async def test_draining_a_silent_client_ends(autojump_clock: MockClock) -> None:
    server = Server(part(b"a"))
    request = body(server)
    await request.send(FINAL)
    assert server.sent == [FINAL]
    assert trio.current_time() < 10


async def test_draining_an_endless_client_ends() -> None:
    big = bytes(8 << 20)
    server = Server(*(part(big) for _ in range(100)))
    request = body(server)
    await request.send(FINAL)
    assert server.sent == [FINAL]
    assert 8 <= server.taken < 100


async def test_an_answer_that_is_not_final_does_not_drain() -> None:
    server = Server(part(b"a"))
    request = body(server)
    await request.send({"type": "http.response.body", "body": b"x", "more_body": True})
    assert server.taken == 0
    assert not request.answered


async def test_discarding_goes_on_until_the_connection_is_gone() -> None:
    server = Server(part(b"a"), part(b"b"), GONE, part(b"never"))
    await body(server).discard()
    assert server.taken == 3
