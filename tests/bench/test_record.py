"""Results on the disk: what is saved can be read again, and a document keeps all but its marked place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import chiral
from interop.bench import record, work
from interop.bench.figures import Figures
from interop.bench.reach import verdicts
from interop.bench.record import BEGIN, END, replace_marked
from interop.bench.work import PYTHON, Sample


def test_only_what_is_between_the_marks_is_replaced() -> None:
    document = f"# Head\n{BEGIN}\nold\n{END}\ntail\n"
    assert replace_marked(document, "new\ntable\n") == f"# Head\n{BEGIN}\nnew\ntable\n{END}\ntail\n"


def test_replacing_twice_is_replacing_once() -> None:
    once = replace_marked(f"{BEGIN}\n{END}\n", "x")
    assert replace_marked(once, "x") == once


@pytest.mark.parametrize("document", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_a_document_without_its_place_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="lacks"):
        replace_marked(document, "x")


def test_saved_figures_are_read_again_with_the_verdicts_beside_them(tmp_path: Path) -> None:
    figures = Figures({"rounds": "5"})
    figures.take([Sample(work.START, PYTHON, 0.8), Sample(work.START, PYTHON, 0.9)])
    folder = tmp_path / "made" / "results"
    record.save(folder, figures, verdicts(figures), "the table\n")
    assert record.load(folder / record.JSON_FILE).series() == figures.series()
    assert (folder / record.MARKDOWN_FILE).read_text() == "the table\n"
    reached = {
        entry["goal"]: entry["verdict"] for entry in json.loads((folder / record.JSON_FILE).read_text())["reach"]
    }
    assert reached["start to ready"] == "aim met"


def test_the_page_on_performance_has_its_place(tmp_path: Path) -> None:
    page = Path(chiral.__file__).parent / "docs" / "performance.md"
    copy = tmp_path / "page.md"
    copy.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    record.write_into(copy, "| figures |")
    assert f"{BEGIN}\n| figures |\n{END}" in copy.read_text(encoding="utf-8")
