"""Whether a node should serve the DHT or only use it. Decides; registers nothing.

A server that others cannot reach costs every lookup that meets it a time-out, which is why such a node is better a
client. Source: libp2p kad-dht specification, "Client and server mode".
"""

from __future__ import annotations

from typing import Literal

Mode = Literal["server", "client", "auto"]
Reachability = Literal["unknown", "reachable", "unreachable"]
"""What is known of whether strangers can dial this node. Unknown until somebody finds out."""


def should_serve(mode: Mode, reachability: Reachability, *, listens: bool) -> bool:
    """Whether to serve; `listens` says whether there is any address to be dialled at.

    In `auto` not knowing means serving: on loopback and private networks nobody ever finds out, and there it works.
    """
    if mode == "auto":
        return listens and reachability != "unreachable"
    return mode == "server"
