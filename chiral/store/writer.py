"""The one writer: a thread that gathers the jobs of many callers into few transactions.

While one transaction is being synced to the disk the next one's jobs gather, so the cost of a sync is shared without
anybody waiting for company.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import lmdb
import trio

from chiral.errors import StoreError, StoreFullError
from chiral.store.budget import Budget
from chiral.store.faults import store_fault
from chiral.store.lanes import Lanes

if TYPE_CHECKING:
    from chiral.store.schema import WriteTransaction

T = TypeVar("T")
MAX_QUEUED_JOBS = 1024
_SETTLE_KEY = b"settle"
"""In the unnamed table, beside the tables' own entries."""


@dataclass(slots=True, eq=False)
class _Job:
    """One caller's work and, once `done` is set, what came of it."""

    apply: Callable[[WriteTransaction], Any]
    size_bytes: int
    grows: bool
    token: trio.lowlevel.TrioToken
    done: trio.Event = field(default_factory=trio.Event)
    result: Any = None
    error: Exception | None = None


class Writer:
    """Runs jobs in write transactions, in the order of `Lanes`; a job is acknowledged when its transaction is on disk.

    A job is a function of the transaction alone, because it may be run again: when anything in a shared transaction
    fails, that transaction is dropped and each of its jobs is given one of its own, so none suffers for another.
    """

    def __init__(
        self,
        environment: lmdb.Environment,
        directory: Path,
        require_room: Callable[[WriteTransaction, int], None],
        after_batch: Callable[[], None],
        *,
        batch_bytes: int,
        queue_bytes: int,
    ) -> None:
        self._environment = environment
        self._directory = directory
        self._require_room = require_room
        self._after_batch = after_batch
        self._waiting: Lanes[_Job] = Lanes(batch_bytes)
        self._budget = Budget(queue_bytes, MAX_QUEUED_JOBS)
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._door = threading.Lock()
        self._gate = threading.Lock()
        # A daemon, so that a process that ends without closing its store does not hang; LMDB survives that.
        self._thread = threading.Thread(target=self._work, name="chiral-store-writer", daemon=True)
        self._thread.start()

    async def run(
        self, apply: Callable[[WriteTransaction], T], *, size_bytes: int = 0, grows: bool = True, shield: bool = False
    ) -> T:
        """What `apply` returned, once it is durable. `size_bytes` is roughly what it writes; if it only deletes it does
        not `grow` the store and may use what is kept back for that.

        Cancelled while it waits for a place, nothing is done; cancelled later, the job is done or not, as a whole. With
        `shield` the latter waits until the job no longer needs the caller's buffers. Raises what `apply` raises,
        `StoreFullError`, `StoreError`.
        """
        await self._budget.acquire(size_bytes)
        job = _Job(apply, size_bytes, grows, trio.lowlevel.current_trio_token())
        with self._door:  # nothing may be queued after the mark that ends the thread: nobody would answer it
            closed = self._closed
            if not closed:
                self._queue.put(job)
        if closed:
            self._budget.release(size_bytes)
            raise StoreError("the store is closed")
        with trio.CancelScope(shield=shield):
            await job.done.wait()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[no-any-return]

    def close(self) -> None:
        """Finish what is queued and end the thread; a second call does nothing. Blocks for as long as that takes."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Within the block nothing is written: jobs wait. Blocks until the transaction under way has ended."""
        with self._gate:
            yield

    def adopt(self, environment: lmdb.Environment) -> None:
        """Write into `environment` from now on: the same store, opened anew. While paused."""
        self._environment = environment

    def _work(self) -> None:
        open_ = True
        while open_ or self._waiting:
            batch, more = self._gather()
            open_ = open_ and more
            if batch:
                with self._gate:
                    self._transact(batch)
                _hand_back(batch, self._budget)
                self._after_batch()
                batch.clear()  # not to keep the last batch's blocks in memory while waiting for the next

    def _gather(self) -> tuple[list[_Job], bool]:
        """The jobs of the next transaction, and whether more may come after them."""
        open_ = True
        try:
            job = self._queue.get(block=not self._waiting)
            while job is not None:
                self._waiting.add(job)
                job = self._queue.get_nowait()
            open_ = False
        except Empty:
            pass
        return self._waiting.take(), open_

    def _transact(self, jobs: list[_Job], *, settled: bool = False) -> None:
        try:
            with self._environment.begin(write=True, buffers=True) as txn:
                if any(job.grows for job in jobs):
                    self._require_room(txn, sum(job.size_bytes for job in jobs))
                results = [job.apply(txn) for job in jobs]
        except Exception as error:  # whatever a job raises belongs to its caller, and must not end this thread
            fault = store_fault(error, self._directory) if isinstance(error, lmdb.Error) else error
            if len(jobs) > 1:
                for job in jobs:
                    self._transact([job])
            elif isinstance(error, lmdb.Error) and isinstance(fault, StoreFullError) and not settled:
                self._settle()
                self._transact(jobs, settled=True)
            else:
                jobs[0].error = fault
            return
        for job, result in zip(jobs, results, strict=True):
            job.result = result

    def _settle(self) -> None:
        """Commit next to nothing: what a deletion freed can be used from the second transaction after it."""
        with contextlib.suppress(lmdb.Error), self._environment.begin(write=True) as txn:
            txn.put(_SETTLE_KEY, b"")


def _hand_back(jobs: list[_Job], budget: Budget) -> None:
    """Wake the callers, in their trio run, with one call into it."""
    done = list(jobs)

    def wake() -> None:
        for job in done:
            budget.release(job.size_bytes)
            job.done.set()

    try:
        done[0].token.run_sync_soon(wake)
    except trio.RunFinishedError:
        return  # the run ended with the callers gone; what they asked for is stored all the same
