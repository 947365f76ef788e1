"""Which of many blocks an object store holds, by the cheaper way: a HEAD each, or listing where they stand close.

A listing of 1,000 keys costs a client as much as some thirty HEADs and tells of every block between its ends. For the
page of a store that a collection works on, it saves nearly all requests; for blocks strewn over a large store it would
tell next to nothing, so the first listing decides about the next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from chiral.store.s3_objects import MAX_KEYS, Found, Listed

LEAST_KEYS = 64
"""Below that nothing is listed."""
WORTH_KEYS = 32
"""A listing that tells of fewer keys is the last."""

List = Callable[[bytes, int], Awaitable[tuple[list[Listed], str | None]]]
"""The objects from a multihash on, up to a number; and None if those are all."""


async def survey(keys: Sequence[bytes], list_from: List) -> dict[bytes, Found | None]:
    """What listings say of multihashes: those that the answer leaves out are to be asked for one by one."""
    wanted = sorted(set(keys))
    known: dict[bytes, Found | None] = {}
    at, worth = 0, True
    while worth and len(wanted) - at >= LEAST_KEYS:
        entries, further = await list_from(wanted[at], MAX_KEYS)
        found = _found_in(entries)
        # The last block listed may have its codec's mark on the next page.
        end = None if further is None else entries[-1].key
        told = [key for key in wanted[at:] if end is None or key < end]
        known.update((key, found.get(key)) for key in told)
        at += len(told)
        worth = len(told) >= WORTH_KEYS
    return known


def _found_in(entries: Sequence[Listed]) -> dict[bytes, Found]:
    found: dict[bytes, Found] = {}
    for entry in entries:
        if entry.codec is None:
            found[entry.key] = Found(entry.size_bytes, None)
        elif entry.key in found:
            found[entry.key] = Found(found[entry.key].size_bytes, entry.codec)
    return found
