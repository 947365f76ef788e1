"""A host that answers half of a block, says so on stdout, and waits to be killed."""

from __future__ import annotations

import json

import trio

from chiral.exchange.codec import PROTOCOL, answer_head
from chiral.host.addresses import address_text
from chiral.interface.streams import Stream
from tests.host.running import make_host


async def answer_half(stream: Stream) -> None:
    await stream.read_to_end(1024)
    await stream.write(answer_head(1 << 20))
    await stream.write(b"x" * (1 << 19))
    print(json.dumps({"event": "half"}), flush=True)
    await trio.sleep_forever()


async def main() -> None:
    host = make_host(5)
    host.serve(PROTOCOL, answer_half)
    async with host.run():
        print(json.dumps({"addr": f"{address_text(host.listen_addrs()[0])}/p2p/{host.local_peer}"}), flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
