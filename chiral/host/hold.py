"""Holds a connection open while it is in use, with peers that close one the moment no stream is on it.

libp2p for Rust 0.54 does so by default (idle time-out 0), later ones after ten seconds; between the answer to one
request and the next there is such a moment. A stream on which a protocol is still to be proposed counts as in use,
as long as the remote waits for the proposal (ten seconds), whatever protocols it speaks. So one is kept, renewed while
requests are made and given up soon after the last.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from chiral.errors import RemoteError
from chiral.host.connection import Connection
from chiral.host.multistream import HEADER
from chiral.host.stream import guarded

RENEW_S = 6.0
"""Well under the ten seconds a remote waits for a proposal."""
IDLE_S = 3.0
"""How long after the last stream was opened a connection still counts as in use."""
PATIENT_AGENTS = ("chiral/", "go-libp2p", "kubo/")
"""Agents that keep idle connections by themselves."""


async def hold_while_used(connection: Connection, agent: Callable[[], str]) -> None:
    """Hold `connection` whenever streams are opened on it, a dialled one from its start; returns when it is over.

    `agent` says what is known of the remote by now; patient ones are not held.
    """
    if connection.direction == "inbound":
        await connection.until_used()
    try:
        while not connection.over.is_set() and not agent().startswith(PATIENT_AGENTS):
            await _hold(connection)
            await connection.until_used()
    except RemoteError:
        return


async def _hold(connection: Connection) -> None:
    """Hold until the connection has been idle for `IDLE_S` seconds. Raises a `RemoteError` when it is gone."""
    while (left := IDLE_S - connection.idle_s()) > 0:
        held = await connection.open_unused()
        try:
            await guarded(held.write(HEADER), connection.peer)
            with trio.move_on_after(RENEW_S) as renewal:
                while (left := IDLE_S - connection.idle_s()) > 0 and not connection.over.is_set():
                    with trio.move_on_after(left):
                        await connection.over.wait()
            if renewal.cancelled_caught:
                continue
        finally:
            await held.reset()
