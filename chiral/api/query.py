"""Parameters that several routes take: names of content and peers, time-outs, pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import trio
from fastapi import Depends, Path, Query

from chiral.block.cid import CID
from chiral.errors import InvalidAddressError, InvalidCidError, RequestTimeoutError, UsageError
from chiral.interface.peer import PeerId

DEFAULT_TIMEOUT_S = 60.0
MAX_TIMEOUT_S = 86_400.0
MAX_PAGE = 1000
MAX_TEXT = 512
MAX_PATH = 4096


def _cid(cid: Annotated[str, Path(max_length=MAX_TEXT, description="a CID as text")]) -> CID:
    return CID.parse(cid).require_supported()


def _after(after: Annotated[str, Query(max_length=MAX_TEXT, description="`next` of the page before")] = "") -> bytes:
    try:
        return bytes.fromhex(after)
    except ValueError as error:
        raise UsageError(f"after: {after[:40]!r} is not the `next` of a page") from error


def dht_key(text: str) -> bytes:
    """The bytes whose place in the DHT is meant by a CID or a peer id; raises `UsageError`."""
    try:
        return PeerId.parse(text).raw
    except InvalidAddressError:
        pass
    try:
        return CID.parse(text).buffer
    except InvalidCidError as error:
        raise UsageError(
            f"{text[:80]!r} is neither a CID nor a peer id", hint="give bafk…, Qm… or 12D3KooW…"
        ) from error


def below(text: str) -> tuple[str, ...]:
    """The names that a path below a CID is made of; raises `UsageError` for what leads up."""
    names = tuple(name for name in text.split("/") if name not in ("", "."))
    if ".." in names:
        raise UsageError(f"{text[:80]!r} leads up", hint="give the path from the CID down")
    return names


def _path_below(
    path: Annotated[str, Query(max_length=MAX_PATH, description="from the CID down")] = "",
) -> tuple[str, ...]:
    return below(path)


PathBelow = Annotated[tuple[str, ...], Depends(_path_below)]
TextInPath = Annotated[str, Path(max_length=MAX_TEXT)]
CidInPath = Annotated[CID, Depends(_cid)]
After = Annotated[bytes, Depends(_after)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="most items in a page")]
TimeoutS = Annotated[float, Query(gt=0, le=MAX_TIMEOUT_S, description="longest wait in seconds")]


@contextmanager
def within(timeout_s: float, what: str) -> Iterator[None]:
    """Give the block `timeout_s` seconds; raises `RequestTimeoutError` when they are over."""
    try:
        with trio.fail_after(timeout_s):
            yield
    except trio.TooSlowError as error:
        raise RequestTimeoutError(
            f"{what} took longer than {timeout_s:g} s", hint="allow it more with --timeout"
        ) from error
