"""What a node keeps and what it gives up, wired: pins, collections, cleaning up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.config.model import NodeConfig
from chiral.files.announcer import Announcer
from chiral.files.shelf import Shelf
from chiral.interface.catalogue import Catalogue
from chiral.interface.content import ContentSource
from chiral.pinning.cleaning import Cleaner
from chiral.pinning.collector import Collector
from chiral.pinning.pinner import Pinner
from chiral.pinning.roots import Keepers
from chiral.store.store import Store


@dataclass(frozen=True, slots=True)
class PinNews:
    """Announces what is pinned, and no longer what is not and is not in the catalogue either."""

    announcer: Announcer
    catalogue: Catalogue

    def kept(self, cid: CID) -> None:
        self.announcer.fetched(cid)

    async def given_up(self, cid: CID) -> None:
        if await self.catalogue.get(cid) is None and await self.catalogue.by_dag_root(cid) is None:
            await self.announcer.removed(cid, [])


@dataclass(frozen=True, slots=True)
class Keeping:
    """The use cases of one node's pins and collections; the collector is to be run."""

    pinner: Pinner
    collector: Collector
    cleaner: Cleaner

    @classmethod
    def over(
        cls,
        store: Store,
        shelf: Shelf,
        source: ContentSource,
        forget: Callable[[CID], Awaitable[object]],
        announcer: Announcer,
        config: NodeConfig,
        clock: Clock,
    ) -> Self:
        """Those over `store` and the `shelf` that its files are on; `forget` removes a file as the user does."""
        keepers = Keepers(store.blocks, store.catalogue, store.pins, shelf.uses, clock)
        collector = Collector(keepers, store.state, config.collection, quota_bytes=config.store.quota_bytes)
        return cls(
            Pinner(
                store.pins,
                shelf.blocks,
                store.catalogue,
                shelf.uses,
                source,
                clock,
                PinNews(announcer, store.catalogue),
            ),
            collector,
            Cleaner(store.catalogue, store.pins, collector, forget),
        )
