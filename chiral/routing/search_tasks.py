"""Searches whose findings are handed out as they come: each runs as a task in the DHT's nursery, not in its asker's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio

from chiral.errors import LocalError

T = TypeVar("T")


class SearchTasks:
    """Starts searches while `hosted`; they end with their askers, and with the nursery at the latest."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None

    @contextmanager
    def hosted(self, nursery: trio.Nursery) -> Iterator[None]:
        """Run searches in `nursery` within the block."""
        self._nursery = nursery
        try:
            yield
        finally:
            self._nursery = None

    async def stream(
        self, search: Callable[[trio.MemorySendChannel[T]], Awaitable[None]], count: int
    ) -> AsyncGenerator[T, None]:
        """What `search` sends, at most `count` findings, until it closes its channel.

        Use it under `contextlib.aclosing`: leaving it in the middle cancels the search. Raises `LocalError` if no
        nursery hosts it, and what local fault ends the search, after what was found before.
        """
        if self._nursery is None:
            raise LocalError("the DHT is not running")
        if count < 1:
            return
        send, receive = trio.open_memory_channel[T](count)
        scope = trio.CancelScope()
        faults: list[LocalError] = []

        async def run() -> None:
            # A task of its own in the node's nursery: a generator that is left in the middle must not leave a nursery
            # or a cancel scope open around its caller.
            with scope, send:
                try:
                    await search(send)
                except LocalError as error:
                    faults.append(error)

        self._nursery.start_soon(run)
        try:
            async for found in receive:
                yield found
        finally:
            scope.cancel()
            receive.close()
        if faults:
            raise faults[0]
