"""Listening: binds every address or says which one failed, accepts, and hands sockets on."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence

import trio

from chiral.clock import Clock
from chiral.errors import InvalidAddressError, ListenError
from chiral.host.addresses import endpoint_of, parse_address, reachable_addresses

logger = logging.getLogger(__name__)

_BACKLOG = 1024
_INTERFACES_S = 5.0
"""How long the interfaces' addresses are taken to stay: asking for them costs half a millisecond."""
_HINTS = {
    errno.EADDRINUSE: "another program has the port; choose another with --listen, or port 0 for any free one",
    errno.EADDRNOTAVAIL: "the address is not this machine's",
    errno.EACCES: "ports under 1024 need privileges",
    errno.EAFNOSUPPORT: "this machine has no such network",
}


class Listener:
    """The bound sockets of one host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sockets: list[trio.SocketListener] = []
        self._accepting = trio.CancelScope()
        self._addrs: tuple[bytes, ...] = ()
        self._addrs_until = -1.0

    async def bind(self, addresses: Sequence[str]) -> None:
        """Bind all of `addresses` (multiaddr text), or none.

        Raises `ListenError` naming the one that failed, `InvalidAddressError` for one that nobody can listen on.
        """
        try:
            for text in addresses:
                self._sockets.append(await _bind(text))
        except BaseException:
            self._release()
            raise

    def addrs(self) -> tuple[bytes, ...]:
        """Where the sockets are reached: wildcards resolved to the interfaces' addresses, ports to the real ones."""
        now = self._clock.monotonic()
        if now >= self._addrs_until:
            found: dict[bytes, None] = {}
            for listener in self._sockets:
                host, port = listener.socket.getsockname()[:2]
                found.update(dict.fromkeys(reachable_addresses(host, port)))
            self._addrs = tuple(found)
            self._addrs_until = now + _INTERFACES_S
        return self._addrs

    async def serve(self, accept: Callable[[trio.SocketStream], Awaitable[None]], nursery: trio.Nursery) -> None:
        """Call `accept` in a task of `nursery` for each socket, until closed or cancelled."""
        with self._accepting:
            if self._sockets:
                await trio.serve_listeners(accept, self._sockets, handler_nursery=nursery)

    def close(self) -> None:
        """Accept no more and give the ports back."""
        self._accepting.cancel()
        self._release()

    def _release(self) -> None:
        for listener in self._sockets:
            listener.socket.close()
        self._sockets.clear()
        self._addrs_until = -1.0


async def _bind(text: str) -> trio.SocketListener:
    endpoint = endpoint_of(parse_address(text))
    if endpoint is None or endpoint.dns:
        raise InvalidAddressError(f"cannot listen on {text}", hint="use /ip4/A/tcp/PORT or /ip6/A/tcp/PORT")
    family = socket.AF_INET if endpoint.family == 4 else socket.AF_INET6
    try:
        sock = trio.socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _listen_error(text, error) from error
    try:
        # SO_REUSEADDR lets a restarted node take its port over lingering connections. SO_REUSEPORT is left off on
        # purpose: with it a second node would share the port in silence instead of being told.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        await sock.bind((endpoint.host, endpoint.port))
        sock.listen(_BACKLOG)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            raise _listen_error(text, error) from error
        raise
    logger.debug("listening on %s", text)
    return trio.SocketListener(sock)


def _listen_error(text: str, error: OSError) -> ListenError:
    reason = (error.strerror or str(error)).lower()
    return ListenError(f"cannot listen on {text}: {reason}", hint=_HINTS.get(error.errno or 0, ""))
