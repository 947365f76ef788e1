"""The address book: what is kept of what is heard, for how long, and what gives way when it is full."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from chiral.clock import TrioClock
from chiral.host import address_book
from chiral.host.address_book import MAX_ADDRS_PER_PEER, AddressBook
from chiral.host.addresses import address_of_endpoint, parse_address
from chiral.host.identity import new_identity, peer_id_of
from chiral.interface.peer import PeerId

PEER = peer_id_of(new_identity(b"\x01" * 32))
OTHER = peer_id_of(new_identity(b"\x02" * 32))


def addr(number: int) -> bytes:
    return address_of_endpoint("192.0.2.1", number)


async def test_addresses_come_back_in_the_order_they_were_learned_without_doubles(mock_clock: MockClock) -> None:
    book = AddressBook(TrioClock())
    assert book.add(PEER, [addr(3), addr(1), addr(3)], ttl_s=10) == 2
    assert book.add(PEER, [addr(1), addr(2)], ttl_s=10) == 1
    assert book.of(PEER) == (addr(3), addr(1), addr(2))
    assert book.of(OTHER) == ()


async def test_only_what_can_be_dialled_is_kept_without_its_peer(mock_clock: MockClock) -> None:
    book = AddressBook(TrioClock())
    heard = [
        parse_address(f"/ip4/192.0.2.1/tcp/1/p2p/{PEER}"),
        parse_address(f"/ip4/192.0.2.1/tcp/2/p2p/{OTHER}"),  # somebody else's
        addr(0),
        b"",
        b"\xff" * 10,
        parse_address("/ip4/192.0.2.1/udp/1/quic-v1"),
        b"\x36\xac\x02" + b"x" * 300 + b"\x06\x00\x01",  # a DNS name of 300 bytes
    ]
    assert book.add(PEER, heard, ttl_s=10) == 1
    assert book.of(PEER) == (addr(1),)
    assert book.add(OTHER, [b"junk"], ttl_s=10) == 0
    assert book.of(OTHER) == ()


async def test_an_address_expires_and_is_kept_as_long_as_the_longest_said(mock_clock: MockClock) -> None:
    book = AddressBook(TrioClock())
    book.add(PEER, [addr(1), addr(2)], ttl_s=10)
    book.add(PEER, [addr(1)], ttl_s=30)
    book.add(PEER, [addr(1)], ttl_s=5)
    mock_clock.jump(10)
    assert book.of(PEER) == (addr(1),)
    mock_clock.jump(20)
    assert book.of(PEER) == ()


async def test_a_full_entry_gives_its_shortest_lived_address_for_one_that_lasts_longer(mock_clock: MockClock) -> None:
    book = AddressBook(TrioClock())
    book.add(PEER, [addr(1)], ttl_s=100)
    book.add(PEER, [addr(number) for number in range(2, MAX_ADDRS_PER_PEER + 10)], ttl_s=10)
    assert len(book.of(PEER)) == MAX_ADDRS_PER_PEER
    assert book.add(PEER, [addr(1000)], ttl_s=10) == 0
    assert book.add(PEER, [addr(1001)], ttl_s=50) == 1
    assert addr(1) in book.of(PEER)
    assert addr(2) not in book.of(PEER)


async def test_what_has_expired_takes_no_room(mock_clock: MockClock) -> None:
    book = AddressBook(TrioClock())
    book.add(PEER, [addr(number) for number in range(1, MAX_ADDRS_PER_PEER + 1)], ttl_s=10)
    mock_clock.jump(11)
    assert book.add(PEER, [addr(100)], ttl_s=5) == 1
    assert book.of(PEER) == (addr(100),)


async def test_a_forgotten_address_is_gone_and_forgetting_is_harmless(mock_clock: MockClock) -> None:
    book = AddressBook(TrioClock())
    book.add(PEER, [addr(1), addr(2)], ttl_s=10)
    book.forget(PEER, addr(1))
    book.forget(PEER, addr(9))
    book.forget(OTHER, addr(1))
    assert book.of(PEER) == (addr(2),)
    book.forget(PEER, addr(2))
    assert book.of(PEER) == ()


async def test_the_peer_least_recently_heard_of_makes_room(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_book, "MAX_PEERS", 3)
    book = AddressBook(TrioClock())
    peers = [PeerId(b"\x00\x01" + bytes([number])) for number in range(4)]
    for peer in (*peers[:3], peers[0], peers[3]):
        book.add(peer, [addr(1)], ttl_s=10)
    assert [bool(book.of(peer)) for peer in peers] == [True, False, True, True]
    await trio.lowlevel.checkpoint()
