"""One peer of a DHT swarm, whatever it is made of: what is measured of it is timed where the call is made."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from interop.kinds import Kind
from interop.line_peer import LinePeer

COMMAND_S = 170.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brought: providers by id, and its seconds to the end."""

    providers: set[str]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """`process` is what it lives in; `number` its place there, None for a peer that has its process to itself."""

    kind: Kind
    peer_id: str
    addr: str
    process: LinePeer
    number: int | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.peer_id[-8:]}"

    async def command(self, word: str, *arguments: str) -> dict[str, Any]:
        """The reply to a command; raises `PeerError`."""
        place = [] if self.number is None else [str(self.number)]
        return await self.process.command(word, *place, *arguments, timeout_s=COMMAND_S)

    async def provide(self, cid: str) -> None:
        """Announce `cid`; raises `PeerError`."""
        await self.command("provide", cid)

    async def find(self, cid: str) -> Found:
        """Search for the providers of `cid` to the end; raises `PeerError`."""
        started = time.perf_counter()
        reply = await self.command("providers", cid)
        return Found(set(reply["providers"]), time.perf_counter() - started)

    async def closest(self, cid: str) -> list[str]:
        """The peers closest to the bytes of `cid` that a lookup finds, nearest first; raises `PeerError`."""
        return list((await self.command("closest", cid))["peers"])
