"""Listening: every address or none, and the one that failed by name."""

from __future__ import annotations

import socket

import pytest
import trio

from chiral.clock import SystemClock
from chiral.errors import InvalidAddressError, ListenError
from chiral.host.addresses import address_text, endpoint_of, is_loopback
from chiral.host.listener import Listener

ANY4, ANY6 = "/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"


def port_of(address: bytes) -> int:
    endpoint = endpoint_of(address)
    assert endpoint is not None
    return endpoint.port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


async def test_several_addresses_of_both_families_are_listened_on() -> None:
    listener = Listener(SystemClock())
    await listener.bind([ANY4, ANY4, ANY6])
    served: list[tuple[object, ...]] = []
    three = trio.Event()

    async def accept(stream: trio.SocketStream) -> None:
        served.append(stream.socket.getsockname()[:2])
        if len(served) == 3:
            three.set()

    addrs = listener.addrs()
    assert [address_text(addr).split("/")[1] for addr in addrs] == ["ip4", "ip4", "ip6"]
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listener.serve, accept, nursery)
            for addr in addrs:
                endpoint = endpoint_of(addr)
                assert endpoint is not None
                async with await trio.open_tcp_stream(endpoint.host, endpoint.port):
                    pass
            await three.wait()
            listener.close()
    assert sorted(str(address[0]) for address in served) == ["127.0.0.1", "127.0.0.1", "::1"]
    assert all(is_free(port_of(addr)) for addr in addrs)
    assert listener.addrs() == ()


async def test_a_wildcard_is_told_as_the_addresses_of_the_interfaces() -> None:
    listener = Listener(SystemClock())
    await listener.bind(["/ip4/0.0.0.0/tcp/0"])
    addrs = listener.addrs()
    assert addrs
    assert any(map(is_loopback, addrs))
    assert len(set(map(port_of, addrs))) == 1
    assert port_of(addrs[0]) != 0
    assert listener.addrs() is addrs, "the interfaces are not asked again at once"
    listener.close()


@pytest.mark.parametrize(
    ("family", "host", "wanted"),
    [
        (socket.AF_INET, "127.0.0.1", "/ip4/127.0.0.1/tcp/{}"),
        (socket.AF_INET6, "::1", "/ip6/::1/tcp/{}"),
        (socket.AF_INET, "0.0.0.0", "/ip4/127.0.0.1/tcp/{}"),
        (socket.AF_INET, "127.0.0.1", "/ip4/0.0.0.0/tcp/{}"),
    ],
)
@pytest.mark.parametrize("shared", [False, True], ids=["plain", "SO_REUSEPORT"])
async def test_a_port_in_use_is_named_and_nothing_is_left_bound(
    family: int, host: str, wanted: str, shared: bool
) -> None:
    with socket.socket(family) as taken:
        if shared:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind((host, 0))
        taken.listen()
        text = wanted.format(taken.getsockname()[1])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = probe.getsockname()[1]
        listener = Listener(SystemClock())
        with pytest.raises(ListenError, match=f"cannot listen on {text}: address already in use") as caught:
            await listener.bind([f"/ip4/127.0.0.1/tcp/{first}", ANY6, text, ANY4])
        assert "--listen" in caught.value.hint
    assert is_free(first)
    assert listener.addrs() == ()


async def test_a_listener_that_failed_to_bind_may_try_again() -> None:
    listener = Listener(SystemClock())
    with pytest.raises(ListenError):
        await listener.bind([ANY4, "/ip4/192.0.2.1/tcp/0"])
    await listener.bind([ANY4])
    accepted = trio.Event()

    async def accept(stream: trio.SocketStream) -> None:
        accepted.set()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listener.serve, accept, nursery)
            async with await trio.open_tcp_stream("127.0.0.1", port_of(listener.addrs()[0])):
                await accepted.wait()
            listener.close()


async def test_the_same_address_twice_is_in_use() -> None:
    listener = Listener(SystemClock())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ListenError, match=f"tcp/{port}: address already in use"):
        await listener.bind([f"/ip4/127.0.0.1/tcp/{port}"] * 2)


async def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ListenError, match=r"/ip4/192.0.2.1/tcp/0: cannot assign") as caught:
        await Listener(SystemClock()).bind(["/ip4/192.0.2.1/tcp/0"])
    assert caught.value.hint == "the address is not this machine's"


@pytest.mark.parametrize(
    "text", ["nonsense", "/ip4/127.0.0.1/tcp/99999", "/dns4/localhost/tcp/0", "/ip4/127.0.0.1/udp/1/quic-v1"]
)
async def test_what_cannot_be_listened_on_by_anybody_is_named(text: str) -> None:
    with pytest.raises(InvalidAddressError, match=text):
        await Listener(SystemClock()).bind([ANY4, text])


async def test_a_network_this_machine_has_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_family(*_: object) -> None:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(trio.socket, "socket", no_family)
    with pytest.raises(ListenError, match="/ip6/::1/tcp/0: address family not supported"):
        await Listener(SystemClock()).bind([ANY6])


async def test_a_bind_that_is_cancelled_leaves_nothing_bound() -> None:
    listener = Listener(SystemClock())
    with trio.CancelScope() as scope:
        scope.cancel()
        await listener.bind([ANY4])
    assert scope.cancelled_caught
    assert listener.addrs() == ()


async def test_nobody_listens_without_addresses() -> None:
    listener = Listener(SystemClock())
    await listener.bind([])
    async with trio.open_nursery() as nursery:
        await listener.serve(trio.aclose_forcefully, nursery)
    assert listener.addrs() == ()
