"""Against a stock py-libp2p host: identify, ping and a protocol, both ways."""

from __future__ import annotations

import trio

from chiral.host.addresses import address_text, parse_peer_address
from chiral.interface.peer import PeerId, PeerInfo
from tests.host.child import child
from tests.host.running import ECHO, Identified, echo, make_host

PAYLOAD = b"x" * 100_000


async def test_a_chiral_host_dials_a_stock_host() -> None:
    host = make_host(1)
    identified = Identified(host)
    with trio.fail_after(60):
        async with host.run(), child("tests.host.stock_peer") as stock:
            told = await stock.hear()
            peer, addr = parse_peer_address(told["addrs"][0])
            await host.connect(PeerInfo(peer, (addr,)))
            await identified.until(1)
            assert ECHO in host.protocols_of(peer)
            assert addr in host.addrs_of(peer)
            (info,) = host.connections()
            assert info.agent.startswith("py-libp2p")
            assert await host.ping(peer, 10) > 0
            assert await host.request(peer, ECHO, PAYLOAD, limit_bytes=1 << 20) == PAYLOAD
            stream = await host.open(peer, ["/test/nobody/1", ECHO])
            await stream.finish(b"asked in turn")
            assert await stream.read_to_end(100) == b"asked in turn"


async def test_a_stock_host_dials_a_chiral_host() -> None:
    host = make_host(1)
    host.serve(ECHO, echo)
    identified = Identified(host)
    with trio.fail_after(60):
        async with host.run(), child("tests.host.stock_peer") as stock:
            told = await stock.hear()
            await stock.tell(f"{address_text(host.listen_addrs()[0])}/p2p/{host.local_peer}")
            visit = await stock.hear()
            assert visit["answer"] == "from the stock host"
            assert visit["agent"] == "chiral/test-1"
            assert {ECHO, "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"} <= set(visit["protocols"])
            assert visit["rtt_us"] >= 0
            await identified.until(1)
            peer = PeerId.parse(told["peer"])
            assert ECHO in host.protocols_of(peer)
            assert await host.request(peer, ECHO, PAYLOAD, limit_bytes=1 << 20) == PAYLOAD, "over the same connection"
            assert len(host.connections()) == 1
