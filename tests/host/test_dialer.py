"""The dialling policy on virtual time: order, stagger, limits, what is remembered of failures, who is dropped."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chiral.clock import TrioClock
from chiral.errors import PeerUnreachableError, ProtocolError
from chiral.host import dialer as dialer_module
from chiral.host.address_book import AddressBook
from chiral.host.addresses import Endpoint, address_of_endpoint
from chiral.host.dialer import Dialer
from chiral.host.identity import new_identity, peer_id_of
from chiral.host.upgrade import WrongPeerError
from chiral.interface.peer import PeerId

PEER = peer_id_of(new_identity(b"\x01" * 32))
SILENT_S = 1e9


def addr(port: int) -> bytes:
    return address_of_endpoint("192.0.2.1", port)


class Link:
    """Stands for a connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.closed = False

    async def close(self) -> None:
        await trio.lowlevel.checkpoint()
        self.closed = True


class World:
    """What answers at which port: after how many seconds, and what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, max_dials: int = 64) -> None:
        self.answers: dict[int, tuple[float, Exception | None]] = {}
        self.tried: list[tuple[float, int]] = []
        self.links: list[Link] = []
        self.most_at_once = self._at_once = 0
        monkeypatch.setattr(dialer_module, "_open_tcp", self._open_tcp)
        self.book = AddressBook(TrioClock())
        upgrade: Any = self._upgrade
        self.dialer = Dialer(self.book, upgrade, TrioClock(), max_dials=max_dials, timeout_s=10.0)

    def knows(self, ports: Iterable[int]) -> None:
        self.book.add(PEER, map(addr, ports), ttl_s=1e6)

    async def _open_tcp(self, endpoint: Endpoint) -> Any:
        self.tried.append((trio.current_time(), endpoint.port))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            seconds, error = self.answers.get(endpoint.port, (SILENT_S, None))
            await trio.sleep(seconds)
        finally:
            self._at_once -= 1
        if error is not None and not isinstance(error, WrongPeerError):
            raise error
        return endpoint.port

    async def _upgrade(self, port: int, peer: PeerId, address: bytes) -> Link:
        error = self.answers[port][1]
        if error is not None:
            raise error
        link = Link(port)
        self.links.append(link)
        return link


async def test_without_an_address_nobody_is_dialled(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PeerUnreachableError, match="no address"):
        await World(monkeypatch).dialer.dial(PEER)


async def test_dead_wrong_and_silent_addresses_are_passed_over_to_the_good_one(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch)
    world.answers = {
        1: (0.0, PeerUnreachableError("refused")),
        2: (0.01, WrongPeerError("somebody else answered there")),
        4: (0.03, None),
    }
    world.knows([1, 2, 3, 4])
    link: Any = await world.dialer.dial(PEER)
    assert (link.port, link.closed) == (4, False)
    assert [port for _, port in world.tried] == [1, 2, 3, 4]
    assert [time for time, _ in world.tried] == pytest.approx([0.0, 0.0, 0.01, 0.26])
    assert world.book.of(PEER) == (addr(1), addr(3), addr(4)), "where somebody else answers is forgotten"


async def test_the_first_connection_wins_and_a_later_one_is_closed(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch)
    world.answers = {1: (0.5, None), 2: (0.25, None)}
    world.knows([1, 2])
    link: Any = await world.dialer.dial(PEER)
    assert [made for made in world.links if not made.closed] == [link]


async def test_a_connection_made_as_another_wins_is_closed(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A winner cancels the others, but one of them may not wait for anything any more."""
    world = World(monkeypatch)
    world.answers = {1: (0.5, None), 2: (0.25, None)}
    world.knows([1, 2])
    upgrade = world.dialer._upgrade

    async def upgrade_in_any_case(*args: Any) -> Any:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.1)
            return await upgrade(*args)

    world.dialer._upgrade = upgrade_in_any_case
    link: Any = await world.dialer.dial(PEER)
    assert len(world.links) == 2
    assert [made for made in world.links if not made.closed] == [link]


async def test_when_nobody_answers_every_address_is_told_with_its_reason(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch)
    world.answers = {1: (0.0, PeerUnreachableError("connection refused")), 2: (0.0, ProtocolError("handshake failed"))}
    world.knows([1, 2, 3])
    with pytest.raises(PeerUnreachableError) as caught:
        await world.dialer.dial(PEER)
    assert "/ip4/192.0.2.1/tcp/1: connection refused" in caught.value.message
    assert "/ip4/192.0.2.1/tcp/2: handshake failed" in caught.value.message
    assert "/ip4/192.0.2.1/tcp/3: no answer within 10 s" in caught.value.message


async def test_a_failure_is_remembered_for_a_moment_unless_an_address_is_new(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch)
    world.answers = {1: (0.0, PeerUnreachableError("refused")), 2: (0.0, PeerUnreachableError("refused"))}
    world.knows([1])
    with pytest.raises(PeerUnreachableError):
        await world.dialer.dial(PEER)
    with pytest.raises(PeerUnreachableError, match=r"a moment ago .*refused"):
        await world.dialer.dial(PEER)
    assert len(world.tried) == 1
    world.knows([2])
    with pytest.raises(PeerUnreachableError, match="cannot be reached"):
        await world.dialer.dial(PEER)
    assert len(world.tried) == 3
    await trio.sleep(2.1)
    world.answers[1] = (0.0, None)
    assert await world.dialer.dial(PEER)
    assert await world.dialer.dial(PEER), "who answered is not held to have failed"


async def test_failures_are_remembered_within_a_bound(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialer_module, "_MAX_REMEMBERED_FAILURES", 2)
    world = World(monkeypatch)
    world.answers = {1: (0.0, PeerUnreachableError("refused"))}
    peers = [PeerId(bytes([0, 1, number])) for number in range(3)]
    for peer in peers:
        world.book.add(peer, [addr(1)], ttl_s=100)
        with pytest.raises(PeerUnreachableError, match="cannot be reached"):
            await world.dialer.dial(peer)
    for peer, message in zip(reversed(peers), ["a moment ago", "a moment ago", "cannot be reached"], strict=True):
        with pytest.raises(PeerUnreachableError, match=message):
            await world.dialer.dial(peer)


async def test_no_more_addresses_are_dialled_at_once_than_allowed(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch, max_dials=2)
    world.knows(range(1, 8))
    with pytest.raises(PeerUnreachableError):
        await world.dialer.dial(PEER)
    assert len(world.tried) == 7
    assert world.most_at_once == 2


async def test_a_cancelled_dial_leaves_no_connection(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch)
    world.answers = {1: (0.5, None)}
    world.knows([1, 2])
    with trio.move_on_after(0.4):
        await world.dialer.dial(PEER)
    assert not world.links


async def test_a_dial_cancelled_as_it_wins_closes_what_it_won(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch)
    world.answers = {1: (0.1, None)}
    world.knows([1])
    scope = trio.CancelScope()
    upgrade = world.dialer._upgrade

    async def upgrade_and_cancel(*args: Any) -> Any:
        link = await upgrade(*args)
        scope.cancel()
        return link

    world.dialer._upgrade = upgrade_and_cancel
    with scope:
        await world.dialer.dial(PEER)
    assert [link.closed for link in world.links] == [True]


# -- Real sockets


@asynccontextmanager
async def listening(host: str) -> AsyncIterator[int]:
    (listener,) = await trio.open_tcp_listeners(0, host=host)
    async with listener:
        yield listener.socket.getsockname()[1]


class Resolver(trio.abc.HostnameResolver):
    """Knows one name, which is this machine in both families, and asks nobody."""

    async def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        if host != b"node.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", 4), ("::1", 6)])
async def test_sockets_of_both_families_and_names_are_opened(host: str, family: int) -> None:
    trio.socket.set_custom_hostname_resolver(Resolver())
    async with listening(host) as port:
        for endpoint in (
            Endpoint(host, port, family),
            Endpoint("node.test", port, family, dns=True),
            Endpoint("node.test", port, 0, dns=True),
        ):
            async with await dialer_module._open_tcp(endpoint) as stream:
                assert stream.socket.getpeername()[:2] == (host, port)
        with pytest.raises(PeerUnreachableError, match="failed"):
            await dialer_module._open_tcp(Endpoint("node.test", port, 10 - family, dns=True))


async def test_a_closed_port_and_impossible_names_are_reasons() -> None:
    trio.socket.set_custom_hostname_resolver(Resolver())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(PeerUnreachableError, match="connection refused"):
        await dialer_module._open_tcp(Endpoint("127.0.0.1", port, 4))
    with pytest.raises(PeerUnreachableError, match="not known"):
        await dialer_module._open_tcp(Endpoint("elsewhere.test", port, 0, dns=True))
    for name in ("x" * 100, "a..b", "\udc80"):
        with pytest.raises(PeerUnreachableError, match="not a host name"):
            await dialer_module._open_tcp(Endpoint(name, port, 0, dns=True))


async def test_an_address_of_another_kind_is_a_reason(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialer_module, "endpoint_of", lambda address: None)
    world = World(monkeypatch)
    world.knows([1])
    with pytest.raises(PeerUnreachableError, match="not a TCP address"):
        await world.dialer.dial(PEER)
