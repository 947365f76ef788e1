"""The port to finding: who provides a key, where a peer is, who is closest."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from chiral.interface.peer import PeerId, PeerInfo


@dataclass(frozen=True, slots=True)
class ProvideResult:
    """Of one announced key: how many peers were asked to keep the record, and how many took it without an error."""

    key: bytes
    asked: int
    stored: int


class Routing(Protocol):
    """Kademlia as the rest of the node sees it. Keys are raw bytes: a CID's bytes or a multihash."""

    async def provide(self, keys: Sequence[bytes], *, by_hand: bool = True) -> list[ProvideResult]:
        """Announce `keys` to the peers closest to each, and keep announcing them until `stop_providing`.

        Those that are not `by_hand` are announced no longer once `provide_only` does not name them.
        """
        ...

    async def schedule(self, keys: Collection[bytes]) -> None:
        """Have `keys` announced behind, and kept announced: as `provide` without `by_hand`, waiting for nobody."""
        ...

    async def provide_only(self, batches: AsyncIterable[Collection[bytes]]) -> int:
        """`schedule` what `batches` give, and provide nothing else but what was by hand; returns how many keys ended.

        Raises what `batches` raise; nothing ends then.
        """
        ...

    async def stop_providing(self, keys: Sequence[bytes]) -> None: ...

    def find_providers(self, keys: Sequence[bytes], count: int, timeout_s: float) -> AsyncGenerator[PeerInfo, None]:
        """Providers of any of `keys` as they are found, each peer once, up to `count`, for at most `timeout_s` seconds.

        All keys are looked up at once. Use it under `contextlib.aclosing`.
        """
        ...

    async def find_peer(self, peer: PeerId) -> PeerInfo | None:
        """The peer's addresses, or None if nobody knows it."""
        ...

    async def closest_peers(self, key: bytes) -> list[PeerInfo]:
        """The k closest live peers to `key` that a lookup finds, in XOR order."""
        ...
