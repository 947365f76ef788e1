"""Parts of content as HTTP asks for them: the `Range` header of one range, and answers that carry a part.

Source: RFC 9110, section 14.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.types import Send

from chiral.api.answers import ByteAnswer
from chiral.files.span import WHOLE, Span

if TYPE_CHECKING:
    from chiral.api.surface import ServedReader

_RANGE = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.ASCII | re.IGNORECASE)
PARTIAL = 206
UNSATISFIABLE = 416


def span_of(header: str | None) -> Span:
    """What a `Range` header asks for; everything where there is none, or one that is not of one range of bytes."""
    found = _RANGE.fullmatch(header.strip()) if header is not None else None
    if found is None:
        return WHOLE
    first, last = found.groups()
    if not first:
        return Span(start=-int(last)) if last and int(last) else WHOLE
    if last and int(last) < int(first):
        return WHOLE
    return Span(int(first), int(last) + 1 if last else None)


def part_headers(reading: ServedReader, span: Span) -> tuple[int, dict[str, str]]:
    """Status and the headers on the length, for an answer to a `Range` header with what `reading` gives."""
    length = {"content-length": str(reading.stop - reading.start), "accept-ranges": "bytes"}
    if span.is_whole:
        return 200, length
    if reading.stop == reading.start:
        return UNSATISFIABLE, {**length, "content-range": f"bytes */{reading.size}"}
    return PARTIAL, {**length, "content-range": f"bytes {reading.start}-{reading.stop - 1}/{reading.size}"}


class RangeAnswer(ByteAnswer):
    """A `ByteAnswer` whose `status` may be set until it begins."""

    status = 200

    async def begin(self, send: Send, headers: Mapping[str, str]) -> None:
        """Send the status and `headers`, once."""
        if not self.started:
            self.started = True
            raw = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
            await send({"type": "http.response.start", "status": self.status, "headers": raw})
