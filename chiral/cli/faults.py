"""Faults that the API answered with, as Chiral's errors again, so that exit codes follow from their families."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chiral.errors import ChiralError, RemoteError


class BrokenAnswerError(ChiralError):
    """The node's answer broke off: the node ended, or was stopped, in the middle of it."""

    code = "broken_answer"


class SlowNodeError(RemoteError):
    """The node did not answer in time."""

    code = "slow_node"


def error_of(fault: Any) -> ChiralError:
    """The error of the family that the fault's code names, or a plain `ChiralError` for an unknown code."""
    if not isinstance(fault, dict):
        return ChiralError("the node answered with something else than this program understands")
    code = str(fault.get("code", ""))
    family = next((known for known in _families(ChiralError) if known.code == code), ChiralError)
    return family(str(fault.get("message", code)), hint=str(fault.get("hint", "")))


def broken_answer() -> BrokenAnswerError:
    """The error for an answer that ended in its middle without saying why."""
    return BrokenAnswerError("the node broke off its answer", hint="see whether it still runs, and its log")


def slow_node() -> SlowNodeError:
    """The error for an answer that did not come."""
    return SlowNodeError("the node did not answer in time", hint="its log may say why")


def _families(root: type[ChiralError]) -> Iterator[type[ChiralError]]:
    yield root
    for family in root.__subclasses__():
        yield from _families(family)
