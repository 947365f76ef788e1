"""A stock py-libp2p host as a process of its own: it cannot live where Chiral's import hook has hollowed the package.

Prints one JSON object a line. It serves `/test/echo/1.0.0`, and for each line `ADDRESS/p2p/ID` on stdin it connects
there, asks for an echo, pings, and tells what identify said.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.host.ping import PingService
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from multiaddr import Multiaddr

ECHO = TProtocol("/test/echo/1.0.0")
IDENTIFY = TProtocol("/ipfs/id/1.0.0")
PAYLOAD = b"from the stock host"


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


async def read_to_end(stream: Any) -> bytes:
    data = b""
    try:
        while more := await stream.read(65_536):
            data += more
    except StreamEOF:
        pass
    return data


async def echo(stream: Any) -> None:
    await stream.write(await read_to_end(stream))
    await stream.close()


async def identity_of(host: Any, peer: ID) -> dict[str, Any]:
    from libp2p.identity.identify.pb.identify_pb2 import Identify
    from libp2p.utils.varint import decode_varint_with_size

    stream = await host.new_stream(peer, [IDENTIFY])
    data = await read_to_end(stream)
    _, start = decode_varint_with_size(data)
    message = Identify.FromString(data[start:])
    return {"agent": message.agent_version, "protocols": list(message.protocols)}


async def visit(host: Any, address: str) -> None:
    info = info_from_p2p_addr(Multiaddr(address))
    await host.connect(info)
    stream = await host.new_stream(info.peer_id, [TProtocol("/test/nobody/1"), ECHO])
    await stream.write(PAYLOAD)
    await stream.close_write()
    answer = await read_to_end(stream)
    (rtt, *_) = await PingService(host).ping(info.peer_id)
    tell(answer=answer.decode(), rtt_us=rtt, **await identity_of(host, info.peer_id))


async def main() -> None:
    host = new_host(key_pair=create_new_key_pair())
    async with host.run(listen_addrs=[Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        host.set_stream_handler(ECHO, echo)
        tell(peer=str(host.get_id()), addrs=[str(addr) for addr in host.get_addrs()])
        async with trio.open_nursery() as nursery:
            lines = trio.wrap_file(sys.stdin)
            async for line in lines:
                await visit(host, line.strip())
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
