"""Multiaddrs at the edges: what is read, what is refused, what a bound socket is reached at."""

from __future__ import annotations

import ifaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.errors import InvalidAddressError
from chiral.host.addresses import (
    Endpoint,
    address_of_endpoint,
    address_text,
    endpoint_of,
    is_loopback,
    parse_address,
    parse_peer_address,
    reachable_addresses,
    split_peer,
)

PEER = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
PORTS = st.integers(0, 65_535)


@given(st.ip_addresses(), PORTS)
def test_an_endpoint_survives_the_way_into_an_address_and_back(ip: object, port: int) -> None:
    address = address_of_endpoint(str(ip), port)
    endpoint = endpoint_of(address)
    assert endpoint is not None
    assert address_of_endpoint(endpoint.host, endpoint.port) == address
    assert split_peer(address) == (address, None)
    assert parse_address(address_text(address)) == address


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("/ip4/192.0.2.1/tcp/4101", Endpoint("192.0.2.1", 4101, 4)),
        ("/ip6/2001:db8::1/tcp/1", Endpoint("2001:db8::1", 1, 6)),
        (f"/ip4/192.0.2.1/tcp/4101/p2p/{PEER}", Endpoint("192.0.2.1", 4101, 4)),
        ("/dns/example.org/tcp/4101", Endpoint("example.org", 4101, 0, dns=True)),
        ("/dns4/example.org/tcp/4101", Endpoint("example.org", 4101, 4, dns=True)),
        ("/dns6/example.org/tcp/4101", Endpoint("example.org", 4101, 6, dns=True)),
        ("/ip4/192.0.2.1/udp/4101/quic-v1", None),
        ("/ip4/192.0.2.1/udp/4101", None),
        ("/ip4/192.0.2.1/tcp/4101/ws", None),
        (f"/ip4/192.0.2.1/tcp/4101/p2p/{PEER}/p2p-circuit", None),
        ("/dnsaddr/example.org/tcp/4101", None),
        (f"/p2p/{PEER}", None),
    ],
)
def test_only_plain_tcp_is_an_endpoint(text: str, endpoint: Endpoint | None) -> None:
    assert endpoint_of(parse_address(text)) == endpoint


@pytest.mark.parametrize("text", ["nonsense", "/ip4/1.2.3/tcp/1", "/ip4/192.0.2.1/tcp/70000", "/ip4/192.0.2.1/tcp"])
def test_text_that_is_no_address_is_named(text: str) -> None:
    with pytest.raises(InvalidAddressError, match="multiaddr") as caught:
        parse_address(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["", "/"])
def test_no_address_at_all_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddressError, match="empty"):
        parse_address(text)


def test_a_peers_address_is_parted() -> None:
    peer, address = parse_peer_address(f"/ip4/192.0.2.1/tcp/4101/p2p/{PEER}")
    assert str(peer) == PEER
    assert address_text(address) == "/ip4/192.0.2.1/tcp/4101"
    relayed = parse_address(f"/ip4/192.0.2.1/tcp/4101/p2p/{PEER}/p2p-circuit")
    assert split_peer(relayed) == (relayed, None)


@pytest.mark.parametrize("text", ["/ip4/192.0.2.1/tcp/4101", f"/p2p/{PEER}"])
def test_a_peers_address_needs_both_parts(text: str) -> None:
    with pytest.raises(InvalidAddressError, match="which peer"):
        parse_peer_address(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_address_or_malformed_never_worse(data: bytes) -> None:
    address_text(data)
    endpoint_of(data)
    try:
        split_peer(data)
    except InvalidAddressError:
        return


def test_malformed_bytes_are_shown_as_such() -> None:
    assert address_text(b"\xff\xff") == "(malformed ffff)"
    assert endpoint_of(b"\xff\xff") is None
    with pytest.raises(InvalidAddressError):
        split_peer(b"\xa5\x03\x22" + b"x" * 34)


def test_an_ipv4_address_within_ipv6_is_written_as_ipv4_and_a_zone_left_out() -> None:
    assert address_text(address_of_endpoint("::ffff:192.0.2.1", 7)) == "/ip4/192.0.2.1/tcp/7"
    assert address_text(address_of_endpoint("fe80::1%eth0", 7)) == "/ip6/fe80::1/tcp/7"


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("/ip4/127.0.0.1/tcp/1", True),
        ("/ip6/::1/tcp/1", True),
        ("/ip4/192.0.2.1/tcp/1", False),
        ("/dns/localhost/tcp/1", False),
    ],
)
def test_loopback_is_known(text: str, loopback: bool) -> None:
    assert is_loopback(parse_address(text)) is loopback


def test_a_bound_address_is_reached_at_itself() -> None:
    assert reachable_addresses("192.0.2.7", 5) == [parse_address("/ip4/192.0.2.7/tcp/5")]


def test_a_wildcard_is_reached_at_each_interface_loopback_last(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters = [
        ifaddr.Adapter("lo", "lo", [ifaddr.IP("127.0.0.1", 8, "lo"), ifaddr.IP(("::1", 0, 0), 128, "lo")]),
        ifaddr.Adapter(
            "eth0",
            "eth0",
            [
                ifaddr.IP("192.0.2.7", 24, "eth0"),
                ifaddr.IP(("2001:db8::7", 0, 0), 64, "eth0"),
                ifaddr.IP(("fe80::7", 0, 2), 64, "eth0"),
            ],
        ),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert [address_text(a) for a in reachable_addresses("0.0.0.0", 5)] == [
        "/ip4/192.0.2.7/tcp/5",
        "/ip4/127.0.0.1/tcp/5",
    ]
    assert [address_text(a) for a in reachable_addresses("::", 5)] == ["/ip6/2001:db8::7/tcp/5", "/ip6/::1/tcp/5"]
