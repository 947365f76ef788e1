"""Finds the peers that are to keep each key, the k closest to it that live, in one overlay. Tells them nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import trio

from chiral.kad.messages import Message, MessageType
from chiral.kad.sweep import Group, Sweep
from chiral.routing.queries import Queries


async def place(queries: Queries, keys: Sequence[bytes], *, k: int, concurrent: int) -> AsyncGenerator[Group, None]:
    """The `keys` in groups as their peers become known; at most `concurrent` lookups at once.

    Use it under `contextlib.aclosing`.
    """
    sweep = Sweep(keys, k=k)

    async def look_up(raw: bytes) -> None:
        # Over one path: what is concluded for other keys needs just the k closest, and not what several paths vote for.
        lookup = await queries.seek(Message(MessageType.FIND_NODE, raw), seeds=sweep.nearby(raw), paths=1)
        sweep.learnt(raw, lookup.closest(), complete=not lookup.stopped, everyone=lookup.saw_everyone)

    while points := sweep.points(concurrent):
        async with trio.open_nursery() as nursery:
            for raw in points:
                nursery.start_soon(look_up, raw)
        for group in sweep.groups():
            yield group
    for group in sweep.groups():
        yield group
