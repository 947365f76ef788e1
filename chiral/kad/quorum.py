"""How many peers must agree: a quorum as a word or a number, counted against those that could."""

from __future__ import annotations

from typing import Literal

from chiral.errors import UsageError

QuorumWord = Literal["one", "majority", "all"]
Quorum = QuorumWord | int
WORDS: dict[str, QuorumWord] = {"one": "one", "majority": "majority", "all": "all"}
MAX_QUORUM = 1000


def parse_quorum(text: str) -> Quorum:
    """The quorum written as `one`, `majority`, `all` or a number of peers; raises `UsageError`."""
    if text in WORDS:
        return WORDS[text]
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_QUORUM:
        return int(text)
    raise UsageError(f"{text[:40]!r} is not a quorum", hint="give one, majority, all or a number of peers")


def votes_needed(quorum: Quorum, of: int) -> int:
    """How many of `of` peers satisfy `quorum`; at least one, and a number as it is."""
    if quorum == "one":
        return 1
    if quorum == "majority":
        return of // 2 + 1
    if quorum == "all":
        return max(1, of)
    if isinstance(quorum, str) or quorum < 1:
        raise UsageError(f"{quorum!r} is not a quorum")
    return quorum
