"""Faults on call: the ports and the system's calls that fail at one chosen step of whatever is done through them.

A step is one call of a kind that can fail. `Plan(at=3)` lets three pass and fails the fourth, either before it does
anything or, `late`, after it has done it: what raised for a caller may all the same have happened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.interface.blockstore import Blockstore, BlockstoreStats


@dataclass(slots=True)
class Plan:
    """Which step fails, and how; with `only`, steps of that name alone count.

    `steps` names those taken so far, `struck` is the one that failed.
    """

    at: int
    make: Callable[[], Exception]
    late: bool = False
    only: str | None = None
    steps: list[str] = field(default_factory=list)
    struck: str | None = None

    def _strikes(self, step: str) -> bool:
        if self.only not in (None, step):
            return False
        self.steps.append(step)
        if len(self.steps) - 1 != self.at:
            return False
        self.struck = step
        return True

    def call(self, step: str, act: Callable[[], Any]) -> Any:
        """Take a step that waits for nothing."""
        strikes = self._strikes(step)
        if strikes and not self.late:
            raise self.make()
        done = act()
        if strikes:
            raise self.make()
        return done

    async def wait(self, step: str, act: Callable[[], Any]) -> Any:
        """Take a step that is waited for."""
        strikes = self._strikes(step)
        if strikes and not self.late:
            raise self.make()
        done = await act()
        if strikes:
            raise self.make()
        return done


class FaultyBlockstore:
    """The blockstore under it, while there is no plan; else each of its calls is a step."""

    def __init__(self, blocks: Blockstore) -> None:
        self._blocks = blocks
        self.plan: Plan | None = None

    async def _step(self, name: str, act: Callable[[], Any]) -> Any:
        return await (act() if self.plan is None else self.plan.wait(f"blocks.{name}", act))

    async def get(self, cid: CID) -> bytes | None:
        return await self._step("get", lambda: self._blocks.get(cid))

    async def get_many(self, cids: Sequence[CID]) -> list[bytes | None]:
        return await self._step("get_many", lambda: self._blocks.get_many(cids))

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        return await self._step("has_many", lambda: self._blocks.has_many(cids))

    async def size(self, cid: CID) -> int | None:
        return await self._step("size", lambda: self._blocks.size(cid))

    async def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        return await self._step("sizes", lambda: self._blocks.sizes(cids))

    async def put_many(self, blocks: Iterable[Block]) -> int:
        batch = list(blocks)
        return await self._step("put_many", lambda: self._blocks.put_many(batch))

    async def delete_many(self, cids: Iterable[CID]) -> int:
        doomed = list(cids)
        return await self._step("delete_many", lambda: self._blocks.delete_many(doomed))

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[CID]:
        return await self._step("page", lambda: self._blocks.page(after, limit))

    async def stats(self) -> BlockstoreStats:
        return await self._step("stats", self._blocks.stats)


class FaultyCatalogue:
    """Any catalogue, each of whose calls is a step while there is a plan."""

    def __init__(self, catalogue: Any) -> None:
        self._catalogue = catalogue
        self.plan: Plan | None = None

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._catalogue, name)

        async def step(*args: Any, **kwargs: Any) -> Any:
            if self.plan is None:
                return await inner(*args, **kwargs)
            return await self.plan.wait(f"catalogue.{name}", lambda: inner(*args, **kwargs))

        return step


class FaultyOs:
    """Stands for the module `os`: the calls named in `COUNTED` are steps, all others go through."""

    COUNTED = ("open", "write", "close", "fsync", "link", "replace", "rename", "read", "unlink")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in self.COUNTED:
            return real
        return lambda *args, **kwargs: self._plan.call(f"os.{name}", lambda: real(*args, **kwargs))
