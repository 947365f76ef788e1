from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from chiral.store.s3_tally import Tally

ALPHABET = [bytes([number]) for number in range(1, 25)]


def test_known_sums_follow_the_writes() -> None:
    tally = Tally.of(2, 30)
    tally.begin(b"k", None)
    assert not tally.exact
    tally.end(b"k", 12)
    assert (tally.blocks, tally.size_bytes, tally.exact) == (3, 42, True)
    tally.begin(b"k", 12)
    tally.end(b"k", None)
    assert (tally.blocks, tally.size_bytes) == (2, 30)


def test_a_write_while_its_page_was_listed_counts_once() -> None:
    for seen in (True, False):
        tally = Tally()
        tally.begin(b"k", None)
        tally.page(b"", [(b"a", 1)] + [(b"k", 5)] * seen, None)
        assert not tally.exact
        tally.end(b"k", 5)
        assert (tally.blocks, tally.size_bytes, tally.exact) == (2, 6, True)


def test_a_page_of_before_a_new_start_is_left_out() -> None:
    tally = Tally(max_doubts=1)
    tally.page(b"", [(b"a", 1)], b"a")
    for key in (b"x", b"y"):
        tally.begin(key, None)
        tally.fail(key)
    assert tally.cursor == b""
    tally.page(b"a", [(b"b", 1)], None)
    assert not tally.complete
    tally.page(b"", [(b"a", 1), (b"b", 2)], None)
    assert (tally.blocks, tally.size_bytes, tally.exact) == (2, 3, True)


@dataclass
class World:
    """A store with writes and listings under way at the same time, each answered some time after it was asked."""

    chance: random.Random
    tally: Tally
    held: dict[bytes, int] = field(default_factory=dict)
    writes: dict[bytes, int | None] = field(default_factory=dict)
    blind: set[bytes] = field(default_factory=set)
    before: dict[bytes, int | None] = field(default_factory=dict)
    asked: tuple[bytes, list[tuple[bytes, int]], bytes | None] | None = None

    def begin(self) -> None:
        free = [key for key in ALPHABET if key not in self.writes]
        if not free:
            return
        key = self.chance.choice(free)
        if self.tally.takes_blind(key) and self.chance.random() < 0.7:
            self.tally.begin_blind(key)
            self.blind.add(key)
            self.writes[key] = self.held.get(key, self.chance.randint(1, 9))
        else:
            self.tally.settle(key, self.held.get(key))  # whoever writes looks first
            self.tally.begin(key, self.held.get(key))
            self.writes[key] = None if key in self.held else self.chance.randint(1, 9)
        self.before[key] = self.held.get(key)
        if self.chance.random() < 0.5:
            self.carry_out(key)

    def carry_out(self, key: bytes) -> None:
        after = self.writes[key]
        if after is None:
            self.held.pop(key, None)
        else:
            self.held[key] = after

    def finish(self) -> None:
        if not self.writes:
            return
        key = self.chance.choice(sorted(self.writes))
        if self.chance.random() < 0.2:
            if self.chance.random() < 0.5:
                self.carry_out(key)
            self.tally.fail(key)
        elif key in self.blind and self.before[key] is not None:
            self.tally.keep(key, self.held[key])
        else:
            self.carry_out(key)
            self.tally.end(key, self.writes[key])
        self.blind.discard(key)
        del self.writes[key]

    def list(self) -> None:
        if self.asked is not None:
            self.tally.page(*self.asked)
            self.asked = None
        elif not self.tally.complete:
            after = self.tally.cursor
            keys = sorted(key for key in self.held if key > after)
            page = keys[: self.chance.randint(1, 6)]
            listed = [(key, self.held[key]) for key in page]
            self.asked = (after, listed, page[-1] if len(page) < len(keys) else None)

    def settle(self) -> None:
        for key in self.tally.doubts:
            if key not in self.writes:
                self.tally.settle(key, self.held.get(key))


@pytest.mark.parametrize("seed", range(300))
def test_the_sums_are_right_whatever_happened_meanwhile(seed: int) -> None:
    chance = random.Random(seed)
    held = {key: chance.randint(1, 9) for key in ALPHABET if chance.random() < 0.6}
    tally = Tally(max_doubts=chance.choice([2, 1000]))
    if seed % 2:
        tally = Tally.of(len(held), sum(held.values()))
    world = World(chance, tally, held)
    for _ in range(chance.randint(5, 120)):
        chance.choice([world.begin, world.begin, world.finish, world.finish, world.list, world.settle])()
    while world.writes:
        world.finish()
    while not world.tally.complete or world.tally.doubts:
        world.list()
        world.settle()
    assert world.tally.exact
    assert (world.tally.blocks, world.tally.size_bytes) == (len(world.held), sum(world.held.values()))
