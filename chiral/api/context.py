"""What the routes of one served node share: the node, its stop signal, and how broken downloads ended."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

import trio
from fastapi import Depends, Request

from chiral.api.faults import Fault, fault_of
from chiral.api.gate import TRANSPORT_KEY
from chiral.api.surface import ServedNode
from chiral.errors import ForbiddenError

_REMEMBERED_BREAKS = 256


@dataclass(slots=True)
class BrokenDownloads:
    """Why downloads broke off, by their id, for clients that ask afterwards; the oldest are forgotten."""

    _faults: OrderedDict[str, Fault] = field(default_factory=OrderedDict)

    def new_id(self) -> str:
        """An id for a download that begins."""
        return secrets.token_hex(8)

    def note(self, download: str, error: Exception) -> None:
        """Remember how `download` broke off."""
        self._faults[download] = fault_of(error)
        while len(self._faults) > _REMEMBERED_BREAKS:
            self._faults.popitem(last=False)

    def get(self, download: str) -> Fault | None:
        """How it broke off, or None if it did not or that is long ago."""
        return self._faults.get(download)


@dataclass(frozen=True, slots=True)
class ApiContext:
    """Handed to every route. `origins` says who gave each configuration key; setting `stop` ends the node."""

    node: ServedNode
    stop: trio.Event
    origins: dict[str, str] = field(default_factory=dict)
    broken: BrokenDownloads = field(default_factory=BrokenDownloads)

    @property
    def data_dir(self) -> Path:
        return self.node.config.data_dir


def context_of(request: Request) -> ApiContext:
    """The context of the application that a request came to."""
    return cast(ApiContext, request.app.state.context)


def only_local(request: Request) -> None:
    """Refuse a request that did not come over the Unix socket: local paths are trusted only there."""
    if request.scope.get(TRANSPORT_KEY) != "unix":
        raise ForbiddenError(
            "local paths are taken over the node's Unix socket only", hint="send or fetch the file's bytes instead"
        )


Context = Annotated[ApiContext, Depends(context_of)]
