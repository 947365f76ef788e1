"""Where results go: files of one run, and the place in a document that holds the figures of record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from interop.bench import reach
from interop.bench.figures import Figures
from interop.bench.reach import Verdict

BEGIN = "<!-- figures: begin -->"
END = "<!-- figures: end -->"
JSON_FILE = "bench.json"
MARKDOWN_FILE = "bench.md"


def replace_marked(document: str, text: str) -> str:
    """`document` with `text` between the two marks in place of what was there; raises `ValueError` without them."""
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document lacks {BEGIN} and, after it, {END}")
    return f"{head}{BEGIN}\n{text.strip()}\n{END}{tail}"


def save(folder: Path, figures: Figures, verdicts: Sequence[Verdict], markdown: str) -> None:
    """Write the JSON and the Markdown of a run into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    value = figures.to_json() | {"reach": reach.to_json(verdicts)}
    (folder / JSON_FILE).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    (folder / MARKDOWN_FILE).write_text(markdown, encoding="utf-8")


def load(path: Path) -> Figures:
    """The figures of a run that `save` wrote; raises `ValueError` or `OSError`."""
    return Figures.from_json(json.loads(path.read_text(encoding="utf-8")))


def write_into(document: Path, markdown: str) -> None:
    """Put `markdown` into the marked place of `document`; raises `ValueError` or `OSError`."""
    document.write_text(replace_marked(document.read_text(encoding="utf-8"), markdown), encoding="utf-8")
