"""Finds the peers that are to keep each key: the k closest to it that live, in one overlay."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest

import trio

from chiral.interface.peer import PeerId
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType
from chiral.routing.queries import Queries

Placement = dict[bytes, list[PeerId]]


async def place(queries: Queries, keys: Sequence[bytes], *, k: int, concurrent: int) -> Placement:
    """For each key the up to `k` closest live peers, nearest first; at most `concurrent` lookups at once.

    In a network of no more than `k` peers a single lookup meets them all, and the order of each key follows from that.
    """
    if not keys:
        return {}
    placement: Placement = {}
    if await _place_by_one(queries, keys, k, placement):
        return placement
    rest = iter(keys[1:])

    async def work() -> None:
        for key in rest:
            placement[key] = (await queries.seek(_find(key))).closest()

    async with trio.open_nursery() as nursery:
        for _ in range(min(concurrent, len(keys) - 1)):
            nursery.start_soon(work)
    return placement


async def _place_by_one(queries: Queries, keys: Sequence[bytes], k: int, placement: Placement) -> bool:
    """Look up the first key; if that met the whole network, place every key by it and return true."""
    lookup = await queries.seek(_find(keys[0]))
    found = lookup.closest()
    placement[keys[0]] = found
    if not lookup.saw_everyone:
        return False
    points = [(KadKey.of(peer.raw).value, peer) for peer in found]
    for key in keys[1:]:
        target = KadKey.of(key).value
        placement[key] = [peer for _, peer in nsmallest(k, points, key=lambda point: point[0] ^ target)]
    return True


def _find(key: bytes) -> Message:
    return Message(MessageType.FIND_NODE, key)
