"""Who breaks the rules again and again is turned away for a while; who keeps to them never is."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID

from chiral.errors import LimitExceededError, ProtocolError, RequestTimeoutError, StreamResetError
from chiral.host.addresses import endpoint_of
from chiral.host.host import Host
from chiral.host.offenders import BURST, MAX_ADDRESSES, RATE_PER_S, Offenders, site_of
from chiral.noise.frame import NoiseError
from chiral.yamux.frame import SilentPeerError, YamuxError, header
from tests.host.running import TEST_S, info_of, make_host, running
from tests.host.wire import End

HERE, THERE = "192.0.2.1", "192.0.2.2"


def offend(offenders: Offenders, times: int, now: float = 0.0, address: str = HERE) -> None:
    for _ in range(times):
        offenders.note(address, YamuxError("flood"), now)


def test_an_address_that_offends_too_often_is_turned_away_and_no_other() -> None:
    offenders = Offenders()
    offend(offenders, BURST - 1)
    offenders.admit(HERE, 0.0)
    with pytest.raises(LimitExceededError, match=HERE):
        offenders.admit(HERE, 0.0)
    offenders.admit(THERE, 0.0)


def test_after_an_offence_connections_count_too_so_that_not_many_come_before_the_next() -> None:
    offenders = Offenders()
    for _ in range(10 * BURST):
        offenders.admit(HERE, 0.0)
    offend(offenders, 1)
    for _ in range(BURST - 1):
        offenders.admit(HERE, 0.0)
    with pytest.raises(LimitExceededError):
        offenders.admit(HERE, 0.0)


def test_it_is_forgiven_with_time() -> None:
    offenders = Offenders()
    offend(offenders, 2 * BURST)
    with pytest.raises(LimitExceededError):
        offenders.admit(HERE, 0.5 / RATE_PER_S)
    offenders.admit(HERE, 1.0 / RATE_PER_S)
    with pytest.raises(LimitExceededError):
        offenders.admit(HERE, 1.5 / RATE_PER_S)
    for _ in range(10 * BURST):
        offenders.admit(HERE, 100.0 / RATE_PER_S)


@pytest.mark.parametrize("error", [ProtocolError("x"), NoiseError("x")])
def test_any_broken_rule_counts(error: Exception) -> None:
    offenders = Offenders()
    for _ in range(BURST):
        offenders.note(HERE, error, 0.0)
    with pytest.raises(LimitExceededError):
        offenders.admit(HERE, 0.0)


@pytest.mark.parametrize(
    "cause", [None, StreamResetError("x"), RequestTimeoutError("x"), OSError("x"), SilentPeerError("x")]
)
def test_nothing_else_counts(cause: Exception | None) -> None:
    offenders = Offenders()
    for _ in range(10 * BURST):
        offenders.note(HERE, cause, 0.0)
        offenders.admit(HERE, 0.0)


def test_so_many_addresses_are_remembered_and_no_more() -> None:
    offenders = Offenders()
    offend(offenders, BURST)
    for number in range(MAX_ADDRESSES - 1):
        offenders.admit(f"a{number}", 0.0)
    with pytest.raises(LimitExceededError):
        offenders.admit(HERE, 0.0)
    for number in range(MAX_ADDRESSES):
        offenders.admit(f"b{number}", 0.0)
    offenders.admit(HERE, 0.0)


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("a name", "a name"),
    ],
)
def test_sites(host: str, site: str) -> None:
    assert site_of(host) == site


UNKNOWN_FRAME = header(9, 0, 1, 0)


async def break_a_rule(host: Host, source: str) -> bool:
    """Dial `host` from `source` and break a rule; whether it let us in."""
    endpoint = endpoint_of(host.listen_addrs()[0])
    assert endpoint is not None
    async with await trio.open_tcp_stream(endpoint.host, endpoint.port, local_address=source) as tcp:
        try:
            session = (await End().upgrade(tcp, ID(host.local_peer.raw))).secured_conn
        except (BaseLibp2pError, OSError, trio.BrokenResourceError):
            return False
        with suppress(BaseLibp2pError, OSError):  # it ends
            await session.write(UNKNOWN_FRAME)
            while True:
                await session.receive()
        return True


async def test_a_host_shuts_its_door_to_an_offender_and_to_nobody_else() -> None:
    host, other = make_host(1), make_host(2)
    with trio.fail_after(TEST_S):
        async with running(host, other):
            while await break_a_rule(host, "127.0.0.2"):
                pass
            assert await break_a_rule(host, "127.0.0.3")
            await other.connect(info_of(host))
            assert host.is_connected(other.local_peer) or other.is_connected(host.local_peer)
