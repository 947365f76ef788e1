"""A process between two peers that passes bytes on late, since there is no kernel's delay to be had everywhere.

`python -m interop.bench.proxy --to HOST:PORT --delay-ms MS`. The first line of stdout names its `port`; each line on
stdin is answered with how many `bytes` it has passed on so far, both ways together.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys

import trio

_READ_BYTES = 1 << 18
_QUEUED_READS = 1024
"""Bounds what is on its way. Far above what the delay and any rate here need."""

Late = tuple[float, bytes]


class Proxy:
    """Takes connections and makes one to the target for each."""

    def __init__(self, host: str, port: int, delay_s: float) -> None:
        self._target = (host, port)
        self._delay_s = delay_s
        self.passed_bytes = 0

    async def serve(self, near: trio.SocketStream) -> None:
        """Live with one connection; either side's end or failure is passed on."""
        try:
            async with near, await trio.open_tcp_stream(*self._target) as far, trio.open_nursery() as nursery:
                for source, sink in ((near, far), (far, near)):
                    send, receive = trio.open_memory_channel[Late](_QUEUED_READS)
                    sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    nursery.start_soon(self._take, source, send)
                    nursery.start_soon(self._give, receive, sink)
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # whoever closed it, both sides are closed now

    async def _take(self, source: trio.SocketStream, send: trio.MemorySendChannel[Late]) -> None:
        async with send:
            while data := await source.receive_some(_READ_BYTES):
                await send.send((trio.current_time() + self._delay_s, bytes(data)))

    async def _give(self, receive: trio.MemoryReceiveChannel[Late], sink: trio.SocketStream) -> None:
        async with receive:
            async for due, data in receive:
                if due > trio.current_time():
                    await trio.sleep_until(due)
                await sink.send_all(data)
                self.passed_bytes += len(data)
            await sink.send_eof()


async def run(host: str, port: int, delay_s: float) -> None:
    """Serve until stdin ends."""
    proxy = Proxy(host, port, delay_s)
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(json.dumps({"event": "ready", "port": listeners[0].socket.getsockname()[1]}), flush=True)
    stdin = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, proxy.serve, listeners)
        while await stdin.receive_some(_READ_BYTES):
            print(json.dumps({"bytes": proxy.passed_bytes}), flush=True)
        nursery.cancel_scope.cancel()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--delay-ms", type=float, required=True)
    options = parser.parse_args()
    host, _, port = options.to.rpartition(":")
    trio.run(run, host, int(port), options.delay_ms / 1000)


if __name__ == "__main__":
    main()
