from __future__ import annotations

import pytest

from chiral.store.s3_objects import Found, Listed
from chiral.store.s3_survey import LEAST_KEYS, survey

KEYS = [number.to_bytes(3, "big") for number in range(60_000)]


class Listings:
    """Listings of the blocks given; odd ones are marked with a codec."""

    def __init__(self, held: list[bytes]) -> None:
        self._entries = [
            entry for key in held for entry in [Listed(key, None, 7), *([Listed(key, 0x70, 0)] if key[-1] % 2 else [])]
        ]
        self.count = 0

    async def list(self, first: bytes, limit: int) -> tuple[list[Listed], str | None]:
        self.count += 1
        after = [entry for entry in self._entries if entry.key >= first]
        return after[:limit], "more" if len(after) > limit else None


def expected(key: bytes) -> Found:
    return Found(7, 0x70 if key[-1] % 2 else None)


async def test_few_are_not_worth_a_listing() -> None:
    listings = Listings(KEYS)
    assert await survey(KEYS[: LEAST_KEYS - 1], listings.list) == {}
    assert listings.count == 0


@pytest.mark.parametrize("step", [1, 3])
async def test_a_page_is_listed(step: int) -> None:
    held = KEYS[:5000:2]
    listings = Listings(held)
    asked = list(reversed(KEYS[:5000:step]))
    known = await survey(asked, listings.list)
    assert listings.count <= 5
    assert known == {key: expected(key) if key in set(held) else None for key in known}
    assert len(asked) - len(known) < LEAST_KEYS


async def test_strewn_ones_are_listed_once() -> None:
    listings = Listings(KEYS)
    known = await survey(KEYS[::500], listings.list)
    assert listings.count == 1
    assert known == {KEYS[0]: expected(KEYS[0]), KEYS[500]: expected(KEYS[500])}


async def test_an_empty_store_is_known_at_once() -> None:
    listings = Listings([])
    assert await survey(KEYS[:100], listings.list) == dict.fromkeys(KEYS[:100])
    assert listings.count == 1


async def test_a_mark_on_the_next_page_is_not_missed() -> None:
    listings = Listings(KEYS)
    asked = KEYS[1:2000]  # the first listing ends between a block and its mark
    known = await survey(asked, listings.list)
    assert known == {key: expected(key) for key in known}
    assert len(asked) - len(known) < LEAST_KEYS
