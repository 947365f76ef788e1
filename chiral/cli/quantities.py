"""Sizes, lifetimes and moments as people write them in arguments, as types of click's."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import click

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?", re.IGNORECASE)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w|y)?", re.IGNORECASE)
_SPAN_S = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_POWERS = "kmgtp"
NEVER = "never"


class Size(click.ParamType):  # type: ignore[type-arg]
    """Bytes: `4096`, `10k`, `1.5MiB`, `2 GB`; a k is 1024, kB too."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = None if isinstance(value, int) else _SIZE.fullmatch(str(value).strip())
        if match is None:
            return value if isinstance(value, int) else self.fail(f"{value!r} is no size; write 4096 or 1.5MiB")
        return int(float(match[1]) * 1024 ** (_POWERS.find(match[2].lower()) + 1 if match[2] else 0))


class Lifetime(click.ParamType):  # type: ignore[type-arg]
    """Seconds: `90`, `12h`, `30d`, `2w`, `1y`; `never` is -1."""

    name = "lifetime"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().lower()
        if text == NEVER:
            return -1.0
        match = _SPAN.fullmatch(text)
        seconds = float(match[1]) * _SPAN_S[match[2] or "s"] if match is not None else 0.0
        return seconds if seconds > 0 else self.fail(f"{value!r} is no lifetime; write 12h, 30d or never")


class Moment(click.ParamType):  # type: ignore[type-arg]
    """Unix seconds: a date or time in ISO form, in this machine's time zone where it names none, or how long ago."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip()
        ago = _SPAN.fullmatch(text)
        if ago is not None and ago[2]:
            return int(_now() - float(ago[1]) * _SPAN_S[ago[2].lower()])
        try:
            return int(datetime.fromisoformat(text).astimezone().timestamp())
        except (ValueError, OverflowError):
            return self.fail(f"{value!r} is no date; write 2026-01-31, 2026-01-31T12:00 or 7d for a week ago")


def _now() -> float:
    from chiral.clock import SystemClock  # loaded on use: with it comes trio

    return SystemClock().wall()


def lifetime_of(value: float) -> float | None:
    """What the API takes for a lifetime given by `Lifetime`: None for ever."""
    return None if value < 0 else value
