"""Addresses from others: the well-formed ones, plain, bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiaddr import Multiaddr

from chiral.interface.peer import PeerId
from chiral.kad.addresses import MAX_ADDRS, clean_addrs, ip_of

PEER = PeerId.parse("12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf")
OTHER = PeerId.parse("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5")


def binary(text: str) -> bytes:
    return bytes(Multiaddr(text).to_bytes())


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/127.0.0.1/tcp/4001",
        "/ip6/::1/tcp/4001",
        "/ip6/fe80::1/udp/4001/quic-v1",
        "/dns4/example.com/tcp/443/wss",
        "/dns/example.com/tcp/443/tls/sni/example.com/ws",
        "/dnsaddr/bootstrap.libp2p.io",
        "/ip4/1.2.3.4/udp/9/quic-v1/webtransport",
        f"/ip4/1.2.3.4/tcp/9/p2p/{OTHER}/p2p-circuit",
        "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234",
    ],
)
def test_well_formed_addresses_stay(text: str) -> None:
    assert clean_addrs(PEER, [binary(text)]) == (binary(text),)


def test_the_peer_itself_is_taken_off_the_end() -> None:
    assert clean_addrs(PEER, [binary(f"/ip4/1.2.3.4/tcp/9/p2p/{PEER}")]) == (binary("/ip4/1.2.3.4/tcp/9"),)
    relayed = f"/ip4/1.2.3.4/tcp/9/p2p/{OTHER}/p2p-circuit"
    assert clean_addrs(PEER, [binary(f"{relayed}/p2p/{PEER}")]) == (binary(relayed),)


@pytest.mark.parametrize(
    "addr",
    [
        b"",
        b"\x04",
        b"\x04\x7f\x00\x00",
        b"\x04\x7f\x00\x00\x01\x06\x0f",
        b"\x04\x7f\x00\x00\x01\x06\x0f\xa1\xff",
        b"\x80",
        b"\xff" * 12,
        b"\xbd\x84\x3d\x01",  # a protocol of no size known
        b"\x36\x7fabc",  # a name that is longer than the address
        b"\x36\xff\xff",
        b"\x36\x84\x02" + b"a" * 260,  # well formed, but longer than any address need be
        binary("/ip4/0.0.0.0/tcp/4001"),
        binary("/ip4/0.1.2.3/tcp/4001"),
        binary("/ip4/224.0.0.251/udp/5353/quic-v1"),
        binary("/ip4/255.255.255.255/tcp/4001"),
        binary("/ip6/::/tcp/4001"),
        binary("/ip6/ff02::1/tcp/4001"),
        binary("/ip6/::ffff:0.0.0.0/tcp/4001"),
        binary("/ip6/::ffff:239.1.1.1/tcp/4001"),
        binary("/ip4/1.2.3.4/tcp/0"),
        binary("/ip4/1.2.3.4/udp/0/quic-v1"),
        binary("/dns4/example.com/tcp/0"),
        binary(f"/ip4/1.2.3.4/tcp/0/p2p/{OTHER}/p2p-circuit"),
        binary(f"/ip4/1.2.3.4/tcp/9/p2p/{OTHER}"),
        binary(f"/p2p/{PEER}"),
        b"/ip4/127.0.0.1/tcp/4001",
    ],
)
def test_malformed_or_foreign_addresses_go(addr: bytes) -> None:
    good = binary("/ip4/1.2.3.4/tcp/9")
    assert clean_addrs(PEER, [addr, good]) == (good,)


def test_each_once_and_not_too_many() -> None:
    many = [binary(f"/ip4/1.2.3.4/tcp/{port}") for port in range(1, 100)]
    assert clean_addrs(PEER, [many[0], many[0], *many]) == tuple(many[:MAX_ADDRS])
    assert clean_addrs(PEER, many, 3) == tuple(many[:3])


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_left(addr: bytes) -> None:
    assert clean_addrs(PEER, [addr]) in ((), (addr,))


def test_the_ip_an_address_begins_with() -> None:
    assert ip_of(binary("/ip4/1.2.3.4/tcp/9")) == bytes([1, 2, 3, 4])
    assert ip_of(binary("/ip6/::ffff:1.2.3.4/tcp/9")) == bytes([1, 2, 3, 4])
    assert ip_of(binary("/ip6/2001:db8::1/tcp/9")) == bytes.fromhex("20010db8000000000000000000000001")
    assert ip_of(binary("/dns4/example.com/tcp/9")) is None
    assert ip_of(b"") is None
