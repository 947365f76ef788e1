"""Chiral: a content-addressed storage node that lives in one swarm with Rust and Go libp2p peers.

Public names are loaded on first use, so that importing this package costs nothing and a client command never imports
py-libp2p.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chiral.block.cid import CID
    from chiral.config.model import NodeConfig
    from chiral.errors import ChiralError
    from chiral.node.node import Node

__version__ = "0.1.0"
__all__ = ["CID", "ChiralError", "Node", "NodeConfig", "__version__"]

_HOMES = {
    "CID": "chiral.block.cid",
    "ChiralError": "chiral.errors",
    "Node": "chiral.node.node",
    "NodeConfig": "chiral.config.model",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'chiral' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
