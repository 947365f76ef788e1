"""Puts sections of figures into the marked place of the page, and leaves those there that were not measured anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from interop.bench.record import BEGIN, END, replace_marked
from tests.simulation.programme import SECTIONS

_HEAD = "### "


def sections_of(document: str) -> dict[str, str]:
    """The text of each section between the marks of `document`, by its title."""
    marked = document.partition(BEGIN)[2].partition(END)[0]
    found = {}
    for part in f"\n{marked}".split(f"\n{_HEAD}")[1:]:
        title, _, text = part.partition("\n")
        found[title] = text.strip()
    return found


def write_into(page: Path, measured: Mapping[str, str]) -> None:
    """Put `measured`, text by title, into `page`; raises `ValueError` or `OSError`."""
    document = page.read_text(encoding="utf-8")
    texts = sections_of(document) | dict(measured)
    ordered = [f"{_HEAD}{title}\n{texts[title]}" for title in SECTIONS.values() if title in texts]
    page.write_text(replace_marked(document, "\n\n".join(ordered)), encoding="utf-8")
