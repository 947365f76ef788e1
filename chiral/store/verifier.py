"""Checks all blocks against their CIDs in the background, at a limited rate, over restarts; repairs what is damaged.

A run goes through the blocks in the order of their hashes, a slice at a time. What is damaged is taken out of service
at once and, where asked, fetched anew through the port given. One run at a time; asked for or due, it is the same.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Protocol

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.errors import ChiralError, StoreError, StoreFullError
from chiral.interface.blockstore import Blockstore
from chiral.interface.datastore import Datastore
from chiral.limiter.token_bucket import TokenBucket
from chiral.store.block_check import CheckedSlice, Damage
from chiral.store.quarantine import Quarantine
from chiral.store.settings import StoreSettings
from chiral.store.verify_run import State, VerifyRun

logger = logging.getLogger(__name__)

Fetch = Callable[[CID], Awaitable[bytes]]
"""The bytes of a block from somebody else; raises `ChiralError` where nobody has it."""
SLICE_BYTES = 1 << 20
SLICE_BLOCKS = 1024
SAVE_INTERVAL_S = 5.0
FETCHES_AT_ONCE = 8
_DAY_S = 86_400.0
_TABLE = "verify"
_KEY = b"run"


class Check(Protocol):
    """What looks at blocks, and takes damaged ones out of service."""

    async def check(self, after: bytes, limit_bytes: int, limit_blocks: int) -> CheckedSlice: ...

    async def quarantine(self, damaged: Sequence[Damage], now: float) -> list[Damage]: ...


class Verifier:
    """That of one store; `run` is its task, everything else returns at once."""

    def __init__(
        self,
        check: Check,
        quarantine: Quarantine,
        blocks: Blockstore,
        state: Datastore,
        settings: StoreSettings,
        clock: Clock,
        fetch: Fetch | None = None,
    ) -> None:
        self._check = check
        self._quarantine = quarantine
        self._blocks = blocks
        self._state = state
        self._settings = settings
        self._clock = clock
        self._fetch = fetch
        self._run = VerifyRun()
        self._asked = trio.Event()
        self._changed = trio.Event()
        self._stopping = False

    def status(self) -> VerifyRun:
        """The run under way, or the last one."""
        return self._run

    async def changed(self) -> VerifyRun:
        """The status once it is another than now."""
        await self._changed.wait()
        return self._run

    def start(self, *, rate_bytes: int | None = None, repair: bool | None = None) -> VerifyRun:
        """Begin a run, or go on with one that was stopped or failed; None: as configured.

        The one under way goes on at this rate and with this repair.
        """
        rate = self._settings.verify_rate_bytes if rate_bytes is None else rate_bytes
        mend = self._settings.verify_repair if repair is None else repair
        self._stopping = False
        if self._run.state == "running":
            self._set(replace(self._run, rate_bytes=rate, repair=mend))
            return self._run
        if self._run.state in ("stopped", "failed"):
            begun = replace(self._run, state="running", rate_bytes=rate, repair=mend, resumed=True, error="")
        else:
            begun = VerifyRun(state="running", rate_bytes=rate, repair=mend, started_at=self._clock.wall())
        self._set(begun)
        self._asked.set()
        return self._run

    def stop(self) -> VerifyRun:
        """Let the run under way end before its next slice."""
        self._stopping = self._run.state == "running"
        return self._run

    async def run(self) -> None:
        """Go on with what a restart cut, then run when asked and when due, for ever. No fault of the store ends it."""
        await self._load()
        while True:
            with trio.move_on_after(self._due_in_s()) as waited:
                await self._asked.wait()
            if waited.cancelled_caught and self._run.state != "running":
                self.start()
            self._asked = trio.Event()
            try:
                await self._go_through()
                await self._finish("stopped" if self._stopping else "done")
            except ChiralError as error:
                logger.error("checking the blocks failed: %s", error)
                self._set(replace(self._run, state="failed", error=str(error), finished_at=self._clock.wall()))

    async def _load(self) -> None:
        try:
            held = await self._state.get(_TABLE, _KEY)
            found = VerifyRun() if held is None else VerifyRun.decode(held)
        except StoreError as error:
            logger.warning("%s", error)
            found = VerifyRun()
        if self._asked.is_set():
            return  # somebody was quicker: a new run makes the old one moot
        if found.state == "running":
            found = replace(found, resumed=True)
            self._asked.set()
        elif not found.finished_at:  # a store is first checked an interval after it was first opened
            found = replace(found, finished_at=self._clock.wall())
        self._set(found)
        await self._save(found)

    def _due_in_s(self) -> float:
        interval_s = self._settings.verify_interval_days * _DAY_S
        if not interval_s:
            return inf
        return max(0.0, self._run.finished_at + interval_s - self._clock.wall())

    async def _go_through(self) -> None:
        stats = await self._blocks.stats()
        rest = stats.size_bytes if stats.rest_bytes is None else stats.rest_bytes
        self._set(replace(self._run, total_blocks=stats.blocks, total_bytes=rest))
        await self._save(self._run)
        rate = self._run.rate_bytes
        bucket = TokenBucket(rate=rate, burst=SLICE_BYTES, now=self._clock.monotonic())
        saved_at = self._clock.monotonic()
        more = True
        while more and not self._stopping:
            more, size = await self._check_slice()
            now = self._clock.monotonic()
            if now - saved_at >= SAVE_INTERVAL_S:
                await self._save(self._run)
                saved_at = now
            if self._run.rate_bytes != rate:
                rate = self._run.rate_bytes
                bucket.set_rate(rate, now)
            await trio.sleep(bucket.reserve(size, now))
        if self._run.repair and not self._stopping:
            await self._repair()

    async def _check_slice(self) -> tuple[bool, int]:
        """Check one slice; whether there is more, and how many bytes were read."""
        done = await self._check.check(bytes.fromhex(self._run.position), SLICE_BYTES, SLICE_BLOCKS)
        run = replace(
            self._run,
            blocks=self._run.blocks + done.blocks,
            size_bytes=self._run.size_bytes + done.size_bytes,
            unverifiable=self._run.unverifiable + done.unverifiable,
            position=self._run.position if done.last is None else done.last.hex(),
        )
        if done.damaged:
            taken = await self._check.quarantine(done.damaged, self._clock.wall())
            for damage in taken:
                logger.error("block %s is damaged and taken out of service: %s", damage.cid, damage.reason)
            run = run.with_damage([str(damage.cid) for damage in taken])
            await self._save(run)
        self._set(replace(run, rate_bytes=self._run.rate_bytes, repair=self._run.repair))
        return done.last is not None, done.size_bytes

    async def _repair(self) -> None:
        """Fetch what the quarantine holds, of this run or an earlier one, and drop what is sound again."""
        after = b""
        limiter = trio.CapacityLimiter(FETCHES_AT_ONCE)
        while page := await self._quarantine.page(after, limit=FETCHES_AT_ONCE * 8):
            after = page[-1].cid.multihash
            async with trio.open_nursery() as nursery:
                for entry in page:
                    nursery.start_soon(self._mend, entry.cid, entry.replaced, limiter)

    async def _mend(self, cid: CID, replaced: bool, limiter: trio.CapacityLimiter) -> None:
        async with limiter:
            try:
                if not replaced and not await self._refetch(cid):
                    return
                await self._quarantine.forget([cid])
            except ChiralError as error:
                logger.warning("block %s could not be had anew: %s", cid, error)
                return
        self._set(replace(self._run, repaired=self._run.repaired + 1))

    async def _refetch(self, cid: CID) -> bool:
        if self._fetch is None:
            return False
        data = await self._fetch(cid)
        if not await trio.to_thread.run_sync(cid.matches, data):
            return False
        await self._blocks.put_many([Block(cid, data)])
        return True

    async def _finish(self, state: State) -> None:
        done = replace(self._run, state=state, finished_at=self._clock.wall())
        await self._save(done)
        self._set(done)
        logger.info("checked %d blocks: %d damaged, %d had anew", done.blocks, done.damaged, done.repaired)

    async def _save(self, run: VerifyRun) -> None:
        try:
            await self._state.put_many(_TABLE, {_KEY: run.encode()})
        except StoreFullError as error:  # a restart would begin anew, which is no reason not to go on now
            logger.warning("how far the check has come cannot be noted: %s", error)

    def _set(self, run: VerifyRun) -> None:
        self._run = run
        self._changed.set()
        self._changed = trio.Event()
