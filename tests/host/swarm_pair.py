"""Two whole py-libp2p hosts in a process of their own, each with its own Noise and Yamux or with Chiral's.

For each line on stdin that names two stacks (`fast` or `stock`), dialler first, it prints one JSON object of what the
dialler saw.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as new_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.peer.peerinfo import PeerInfo
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport
from multiaddr import Multiaddr

from chiral.host.secured import FastNoise
from tests.host.muxer import FastMuxer

ECHO, CUT = TProtocol("/test/echo/1"), TProtocol("/test/cut/1")
BIG = bytes(range(256)) * 5000


def make_host(stack: str) -> Any:
    keys = create_new_key_pair()
    noise = FastNoise if stack == "fast" else Transport
    host = new_host(key_pair=keys, sec_opt={NOISE: noise(keys, noise_privkey=new_x25519_key_pair().private_key)})
    if stack == "fast":
        host.get_network().upgrader.muxer_multistream = FastMuxer()
    return host


async def read_to_end(stream: Any) -> tuple[bytes, str]:
    """What came, and how it ended."""
    data = b""
    while True:
        try:
            data += await stream.read(65_536)
        except StreamEOF:
            return data, "end"
        except Exception as error:
            return data, type(error).__name__


async def echo(stream: Any) -> None:
    data, _ = await read_to_end(stream)
    await stream.write(data)
    await stream.close()


async def cut(stream: Any) -> None:
    """Answer in part, then reset, or die with the connection."""
    how, _ = await read_to_end(stream)
    await stream.write(b"part")
    await trio.sleep(0.1)
    if how == b"reset":
        await stream.reset()
    else:
        await stream.muxed_conn.secured_conn.close()


async def ask(host: Any, peer: Any, protocol: TProtocol, data: bytes) -> tuple[bytes, str]:
    stream = await host.new_stream(peer, [protocol])
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            await stream.write(data)
            await stream.close_write()

        nursery.start_soon(send)
        seen = await read_to_end(stream)
    if seen[1] == "end":
        await stream.close()
    else:
        await stream.reset()
    return seen


async def visit(dialler: Any, listener: Any) -> dict[str, Any]:
    peer = listener.get_id()
    await dialler.connect(PeerInfo(peer, listener.get_addrs()))
    seen: dict[str, Any] = {"echo": await ask(dialler, peer, ECHO, BIG) == (BIG, "end")}
    seen["half_close"] = await ask(dialler, peer, ECHO, b"q") == (b"q", "end")
    seen["many"] = 0
    for number in range(300):
        seen["many"] += await ask(dialler, peer, ECHO, b"%d" % number) == (b"%d" % number, "end")
    (_, seen["reset"]) = await ask(dialler, peer, CUT, b"reset")
    await trio.sleep(0.3)
    seen["streams_left"] = sum(
        len(conn.get_streams()) for host in (dialler, listener) for conn in host.get_network().get_connections()
    )
    (_, seen["death"]) = await ask(dialler, peer, CUT, b"die")
    return seen


async def main() -> None:
    lines = trio.wrap_file(sys.stdin)
    async for line in lines:
        dialler, listener = (make_host(stack) for stack in line.split())
        anywhere = [Multiaddr("/ip4/127.0.0.1/tcp/0")]
        async with listener.run(listen_addrs=anywhere), dialler.run(listen_addrs=anywhere):
            listener.set_stream_handler(ECHO, echo)
            listener.set_stream_handler(CUT, cut)
            print(json.dumps(await visit(dialler, listener)), flush=True)


if __name__ == "__main__":
    trio.run(main)
