"""Several whole nodes in one process, each with its own identity, port and store: `python -m interop.dht.house`.

They are driven by lines as `interop/README.md` has them, with the node's number behind the word. Sharing a process
saves the memory of an interpreter for each node; they speak to each other, as to everybody, over TCP.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import trio

from chiral.config.model import NodeConfig
from chiral.host.settings import HostSettings
from chiral.node.node import Node
from chiral.routing.settings import KadSettings
from chiral.store.settings import StoreSettings
from interop.dht.orders import Orders
from interop.dht.sent import Sent, count_what_is_sent

_LISTEN = "/ip4/127.0.0.1/tcp/0"
_MAP_BYTES = 1 << 30
_READ_BYTES = 65_536


def config(data: Path, bootstrap: list[str], *, durable: bool) -> NodeConfig:
    """A node as users run it, but for a smaller reserve of address space."""
    store = StoreSettings(map_size_bytes=_MAP_BYTES, durable=durable)
    return NodeConfig(data_dir=data, bootstrap=tuple(bootstrap), host=HostSettings(listen=(_LISTEN,)), store=store)


async def live(data: Path, count: int, bootstrap: list[str], *, durable: bool) -> None:
    """Run `count` nodes until stdin ends. All join through `bootstrap`, or where that is empty through the first."""
    (protocol,) = KadSettings().protocols
    sent = Sent(protocol)
    count_what_is_sent(sent)
    async with AsyncExitStack() as stack:
        nodes: list[Node] = []
        for number in range(count):
            known = bootstrap or [addr for node in nodes[:1] for addr in node.listen_addrs_text()]
            nodes.append(await stack.enter_async_context(Node(config(data / str(number), known, durable=durable))))
        ready = {"event": "ready", "peer_id": str(nodes[0].peer_id), "addrs": nodes[0].listen_addrs_text()}
        print(json.dumps(ready | {"bootstrapped": 0}), flush=True)
        await _obey(Orders(nodes, sent))


async def _obey(orders: Orders) -> None:
    stdin = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))
    rest = b""
    async with trio.open_nursery() as nursery:
        while data := await stdin.receive_some(_READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                nursery.start_soon(_answer, orders, line.decode())
        nursery.cancel_scope.cancel()


async def _answer(orders: Orders, line: str) -> None:
    print(json.dumps(await orders.reply(line)), flush=True)


def main() -> None:
    """Read the options and live."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--bootstrap", action="append", default=[], metavar="MADDR/p2p/ID")
    parser.add_argument("--durable", action="store_true", help="sync every write to the disk, as a node does")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(relativeCreated)d %(name)s: %(message)s")
    trio.run(partial(live, options.data, options.count, options.bootstrap, durable=options.durable))


if __name__ == "__main__":
    main()
