"""Networks of peers: which address is of which, and that the table takes no more of one than it may."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.interface.peer import PeerId
from chiral.kad.bucket import Admit, Full, PingFirst, Refused
from chiral.kad.diversity import DiversityLimits, GroupCount, group_text, groups_of
from chiral.kad.key import KadKey
from chiral.kad.table import RoutingTable
from tests.fakes.stream_node import peer_id

LOCAL = peer_id(0)
LIMITS = DiversityLimits(per_bucket=2, per_table=3)
TCP = b"\x06\x10\x05"


def maddr(text: str) -> bytes:
    ip = ip_address(text)
    return bytes((0x04 if ip.version == 4 else 0x29,)) + ip.packed + TCP


def group(text: str) -> frozenset[bytes]:
    return groups_of([maddr(text)])


def texts(*addrs: bytes, exempt_private: bool = True) -> set[str]:
    return {group_text(found) for found in groups_of(addrs, exempt_private=exempt_private)}


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("8.8.4.4", "8.8.4.0/24"),
        ("8.8.4.255", "8.8.4.0/24"),
        ("8.8.5.4", "8.8.5.0/24"),
        ("2a00:1450:4001:831::200e", "2a00:1450:4001::/48"),
        ("2a00:1450:4001:ffff::1", "2a00:1450:4001::/48"),
        ("2a00:1450:4002::1", "2a00:1450:4002::/48"),
        ("::ffff:8.8.4.4", "8.8.4.0/24"),
        ("2002:808:404::1", "8.8.4.0/24"),
    ],
)
def test_the_network_of_an_address(ip: str, network: str) -> None:
    assert texts(maddr(ip)) == {network}


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.9.9",
        "100.64.0.1",
        "0.0.0.0",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:192.168.1.1",
    ],
)
def test_private_ranges_are_exempt_unless_they_are_to_count(ip: str) -> None:
    assert texts(maddr(ip)) == set()
    assert len(texts(maddr(ip), exempt_private=False)) == 1


def test_names_and_malformed_addresses_are_of_no_network() -> None:
    assert groups_of([b"", b"\x04\x08", b"\x29\x08\x08", b"\x36\x03abc" + TCP, b"\xff\xff"]) == frozenset()


def test_several_addresses_are_of_several_networks() -> None:
    addrs = [maddr("8.8.4.4"), maddr("8.8.4.9"), maddr("9.9.9.9"), maddr("2a00:1450:4001::1"), maddr("10.0.0.1")]
    assert texts(*addrs) == {"8.8.4.0/24", "9.9.9.0/24", "2a00:1450:4001::/48"}


@given(st.lists(st.binary(max_size=24), max_size=8), st.booleans())
def test_no_bytes_are_too_strange(addrs: list[bytes], exempt: bool) -> None:
    for found in groups_of(addrs, exempt_private=exempt):
        assert len(found) in (4, 7)
        assert group_text(found).endswith(("/24", "/48"))


def peers_of_bucket(table: RoutingTable, index: int, count: int) -> list[PeerId]:
    found = (peer_id(n) for n in range(1, 100_000))
    return [peer for peer in found if table.bucket_index(KadKey.of(peer.raw)) == index][:count]


def test_a_bucket_takes_so_many_of_a_network_and_the_table_so_many() -> None:
    table = RoutingTable(LOCAL, diversity=LIMITS)
    near, far = peers_of_bucket(table, 1, 3), peers_of_bucket(table, 0, 3)
    for peer in far[:2]:
        assert table.seen(peer, 0.0, group("8.8.4.4")) == Admit(peer, new=True)
    assert table.seen(far[2], 0.0, group("8.8.4.5")) == Refused(far[2], "2 peers of 8.8.4.0/24 are in its bucket")
    assert table.seen(near[0], 0.0, group("8.8.4.6")) == Admit(near[0], new=True)
    assert table.seen(near[1], 0.0, group("8.8.4.7")) == Refused(near[1], "3 peers of 8.8.4.0/24 are in the table")
    assert table.seen(near[1], 0.0, group("8.8.5.7")) == Admit(near[1], new=True)
    assert table.seen(far[2], 0.0) == Admit(far[2], new=True)
    table.drop(far[0], 1.0)
    assert table.seen(near[2], 1.0, group("8.8.4.8")) == Admit(near[2], new=True)


def test_a_peer_counts_in_each_of_its_networks() -> None:
    table = RoutingTable(LOCAL, diversity=DiversityLimits(per_bucket=1, per_table=1))
    one, two, three = peers_of_bucket(table, 0, 3)
    table.seen(one, 0.0, group("8.8.4.4") | group("2a00:1450:4001::1"))
    assert isinstance(table.seen(two, 0.0, group("8.8.4.5")), Refused)
    assert isinstance(table.seen(three, 0.0, group("9.9.9.9") | group("2a00:1450:4001:5::1")), Refused)


def test_a_peer_that_moved_is_counted_where_it_is_now() -> None:
    table = RoutingTable(LOCAL, diversity=DiversityLimits(per_bucket=1, per_table=1))
    one, two, three = peers_of_bucket(table, 0, 3)
    table.seen(one, 0.0, group("8.8.4.4"))
    assert table.seen(one, 1.0, group("9.9.9.9")) == Admit(one, new=False)
    assert table.seen(two, 2.0, group("8.8.4.5")) == Admit(two, new=True)
    assert table.seen(one, 3.0) == Admit(one, new=False)
    assert isinstance(table.seen(three, 3.0, group("9.9.9.8")), Refused)
    refused = table.seen(one, 4.0, group("8.8.4.9"))
    assert isinstance(refused, Refused)
    assert one not in table
    assert table.seen(three, 5.0, group("9.9.9.8")) == Admit(three, new=True)


def test_a_spare_moves_up_only_where_its_network_has_room() -> None:
    table = RoutingTable(LOCAL, k=3, diversity=LIMITS)
    far, near = peers_of_bucket(table, 0, 6), peers_of_bucket(table, 1, 2)
    for peer in far[:3]:
        table.seen(peer, 0.0)
    assert table.seen(far[3], 1.0, group("9.9.9.9")) == Full(far[3])
    for peer in far[4:]:
        assert table.seen(peer, 2.0, group("8.8.4.4")) == Full(peer)
    for peer in near:
        table.seen(peer, 3.0, group("8.8.4.5"))
    assert table.drop(far[0], 4.0) == far[5]
    assert table.drop(far[1], 4.0) == far[3]
    assert table.drop(far[2], 4.0) is None
    assert table.drop(near[0], 4.0) is None
    assert table.seen(far[4], 5.0, group("8.8.4.4")) == Admit(far[4], new=True)


def test_leaving_forgets_what_was_counted() -> None:
    count = GroupCount(LIMITS)
    groups = group("8.8.4.4") | group("9.9.9.9")
    for index in range(3):
        count.add(index, groups)
    assert count.over(7, groups) is not None
    for index in range(3):
        count.remove(index, groups)
    assert count.over(7, groups) is None
    assert not count._in_bucket
    assert not count._in_table


steps = st.lists(
    st.tuples(
        st.sampled_from(["seen", "drop", "move"]),
        st.integers(1, 60),
        st.frozensets(st.sampled_from([f"8.8.{n}.1" for n in range(4)]), max_size=2),
    ),
    max_size=150,
)


@given(steps, st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
def test_whatever_happens_no_network_has_more_than_it_may(
    happened: list[tuple[str, int, frozenset[str]]], per_bucket: int, per_table: int, k: int
) -> None:
    table = RoutingTable(LOCAL, k=k, diversity=DiversityLimits(per_bucket, per_table))
    for now, (what, number, ips) in enumerate(happened):
        peer = peer_id(number)
        groups = groups_of([maddr(ip) for ip in ips])
        if what == "drop":
            table.drop(peer, 100.0 * now)
        else:
            outcome = table.seen(peer, 100.0 * now, groups if what == "seen" else None)
            assert isinstance(outcome, (Admit, Full, PingFirst, Refused))
            assert (peer in table) == isinstance(outcome, Admit)
        in_table = Counter(found for entry in table for found in entry.groups)
        in_bucket = Counter((table.bucket_index(entry.key), found) for entry in table for found in entry.groups)
        assert all(number <= per_table for number in in_table.values())
        assert all(number <= per_bucket for number in in_bucket.values())
        assert table._groups._in_table == in_table
        assert table._groups._in_bucket == in_bucket
