"""A process that takes one TCP connection, reads it to its end and says so with one byte; for the ceiling of TCP."""

from __future__ import annotations

import json

import trio

_READ_BYTES = 1 << 18


async def serve() -> None:
    """Listen on a free port of loopback, tell it on stdout, serve one connection."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        print(json.dumps({"event": "ready", "port": listener.socket.getsockname()[1]}), flush=True)
        stream = await listener.accept()
        async with stream:
            while await stream.receive_some(_READ_BYTES):
                pass
            await stream.send_all(b".")


if __name__ == "__main__":
    trio.run(serve)
