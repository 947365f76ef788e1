"""The table of connections: which one is used, what its limits refuse, whom it tells; and those who are told."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chiral.errors import LimitExceededError
from chiral.host.connection_table import ConnectionTable
from chiral.host.identify import Identity
from chiral.host.peer_listeners import PeerListeners
from chiral.interface.peer import PeerId

ONE, TWO = PeerId(b"\x00\x01\x01"), PeerId(b"\x00\x01\x02")


class Link:
    """Stands for a connection."""

    def __init__(self, peer: PeerId) -> None:
        self.peer = peer
        self.alive = True

    def info(self, agent: str, protocols: tuple[str, ...]) -> Any:
        return (self.peer, agent, protocols)


class Told:
    """A table, and whom it told of."""

    def __init__(self, max_connections: int = 10, max_per_peer: int = 3) -> None:
        self.joined: list[PeerId] = []
        self.left: list[PeerId] = []
        self.table: Any = ConnectionTable(max_connections, max_per_peer, self.joined.append, self.left.append)

    def add(self, peer: PeerId) -> Link:
        link = Link(peer)
        self.table.add(link)
        return link


def test_a_peers_first_and_last_connection_are_told() -> None:
    told = Told()
    first, second, other = told.add(ONE), told.add(ONE), told.add(TWO)
    assert told.joined == [ONE, TWO]
    told.table.remove(first)
    assert told.left == []
    told.table.remove(second)
    told.table.remove(second)
    assert told.left == [ONE]
    assert told.table.all() == [other]
    assert len(told.table) == 1


def test_the_newest_connection_that_lives_is_used() -> None:
    told = Told()
    first, second = told.add(ONE), told.add(ONE)
    assert told.table.live(ONE) is second
    second.alive = False
    assert told.table.live(ONE) is first
    first.alive = False
    assert told.table.live(ONE) is None
    assert told.table.live(TWO) is None
    assert told.table.of(ONE) == (first, second)


def test_limits_are_named_and_their_slots_come_back() -> None:
    told = Told(max_connections=3, max_per_peer=2)
    links = [told.add(ONE), told.add(ONE)]
    with pytest.raises(LimitExceededError, match="max_connections_per_peer"):
        told.add(ONE)
    links.append(told.add(TWO))
    assert told.table.full
    with pytest.raises(LimitExceededError, match="max_connections\\)"):
        told.add(TWO)
    told.table.remove(links[0])
    told.add(ONE)
    assert len(told.table) == 3


def test_connections_are_shown_with_what_their_peers_said() -> None:
    told = Told()
    told.add(ONE)
    assert told.table.infos(lambda _: Identity("agent", frozenset({"/b", "/a"}), (), None)) == [
        (ONE, "agent", ("/a", "/b"))
    ]


def test_a_listener_that_fails_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    listeners, heard = PeerListeners(), []

    def fail(peer: PeerId) -> None:
        raise ValueError("of no concern")

    listeners.add(fail)
    listeners.add(heard.append)
    with caplog.at_level(logging.ERROR):
        listeners.tell(ONE)
    assert heard == [ONE]
    assert "a listener failed" in caplog.text
