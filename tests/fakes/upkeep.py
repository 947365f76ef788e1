"""The upkeep of a store without one: a verification that ends when told and finds one block damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import trio

from chiral.block.cid import CID
from chiral.store.compaction import Compacted
from chiral.store.quarantine import Quarantined
from chiral.store.verify_run import VerifyRun

DAMAGED = CID.of(b"damaged")
COPIED_BYTES = 600


class FakeVerifier:
    """A run goes on until `gate` is open."""

    def __init__(self) -> None:
        self.gate = trio.Event()
        self.gate.set()
        self._run = VerifyRun()

    def status(self) -> VerifyRun:
        return self._run

    async def changed(self) -> VerifyRun:
        await self.gate.wait()
        self._run = replace(
            self._run,
            state="done",
            blocks=10,
            size_bytes=2048,
            damaged=1,
            repaired=int(self._run.repair),
            names=(str(DAMAGED),),
        )
        return self._run

    def start(self, *, rate_bytes: int | None = None, repair: bool | None = None) -> VerifyRun:
        self._run = VerifyRun(
            state="running", rate_bytes=rate_bytes or 7, repair=bool(repair), total_blocks=10, total_bytes=2048
        )
        return self._run

    def stop(self) -> VerifyRun:
        self._run = replace(self._run, state="stopped")
        return self._run


class FakeQuarantine:
    """One damaged block."""

    def __init__(self) -> None:
        self._entries = [Quarantined(DAMAGED, 7, "its bytes are not what its CID names", 1_700_000_000.0, False)]

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[Quarantined]:
        return [entry for entry in self._entries if entry.cid.multihash > after][:limit]

    async def count(self) -> int:
        return len(self._entries)

    async def forget(self, cids: Sequence[CID]) -> int:
        before = len(self._entries)
        self._entries = [entry for entry in self._entries if entry.cid not in cids]
        return before - len(self._entries)


class FakeCompactor:
    """Gives 400 bytes back."""

    async def compact(self) -> Compacted:
        await trio.lowlevel.checkpoint()
        return Compacted(1000, COPIED_BYTES)

    def copied_bytes(self) -> int:
        return COPIED_BYTES


class FakeUpkeep:
    """What the API asks of `Upkeep`."""

    def __init__(self) -> None:
        self.verifier = FakeVerifier()
        self.quarantine = FakeQuarantine()
        self.compactor = FakeCompactor()
        self._backups = [Path("/data/backup-v1-20260101T000000Z")]

    def disk_bytes(self) -> int:
        return 4096

    def backups(self) -> list[Path]:
        return self._backups

    async def remove_backups(self) -> int:
        freed = 500 * len(self._backups)
        self._backups = []
        return freed
