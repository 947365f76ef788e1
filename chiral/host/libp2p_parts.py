"""The one import hook: loads of py-libp2p only the parts this node runs.

`import libp2p` executes the package's `__init__`, which brings in QUIC, WebTransport, GossipSub, mDNS and more: a
second of start-up and 60 MiB that a TCP node never uses. `load()` puts an empty package object in its place, whose
submodules still import as ever, and lets the optional packages that are imported only for a type's name be empty too.
It must run before anything else imports `libp2p`; if something already has, it leaves everything as it is. Measured in
`chiral/ARCHITECTURE.md`, "A lean process".
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

_HOLLOW = {
    "libp2p": "transports, discovery and services this node composes by itself",
    "libp2p.identity": "identify as a service of the stock host; its messages are used",
    "libp2p.identity.identify": "as above",
    "libp2p.network": "the stock swarm's helpers; its submodules for connections are used",
    "libp2p.rcmgr": "the stock resource manager, named in annotations",
    "libp2p.security": "TLS and plaintext; the noise submodule is used",
    "libp2p.transport": "WebSocket and the port multiplexer; the upgrader submodule is used",
    "libp2p.transport.quic": "QUIC, named in annotations",
    "libp2p.transport.quic.stream": "QUIC, named in annotations",
}


class _HollowModule(ModuleType):
    """A module without content: any public name asked of it is a class that stands for the part left out."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        stand_in = type(name, (), {"__doc__": f"Left out of this process: {self.__name__}.{name}"})
        setattr(self, name, stand_in)
        return stand_in


class _HollowFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers for the packages in `_HOLLOW`; their real directories still hold the submodules."""

    def __init__(self, root: str) -> None:
        self._root = root

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _HOLLOW:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        spec.submodule_search_locations = ["/".join([self._root, *fullname.split(".")[1:]])]
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _HollowModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to execute: that is the point."""


def load() -> bool:
    """Install the hook; True if it is in force, False if `libp2p` had been imported whole before."""
    loaded = sys.modules.get("libp2p")
    if loaded is not None:
        return isinstance(loaded, _HollowModule)
    spec = importlib.util.find_spec("libp2p")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("py-libp2p is not installed", name="libp2p")
    sys.meta_path.insert(0, _HollowFinder(spec.submodule_search_locations[0]))
    return True
