"""Tables: numbers that can be read, peers in columns, Markdown that renders."""

from __future__ import annotations

import pytest

from interop.bench import table, work
from interop.bench.figures import Failure, Figures
from interop.bench.reach import verdicts
from interop.bench.work import CEILING, DISK, GO, MIB_BYTES, PYTHON, RUST, TMPFS, Sample, Work, pair


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def rows(markdown: str) -> list[list[str]]:
    return [cells(line) for line in markdown.splitlines()][2:]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0123, "0.012"),
        (0.5, "0.500"),
        (1.234, "1.23"),
        (56.78, "56.8"),
        (456.7, "457"),
        (12345.6, "12,346"),
    ],
)
def test_numbers_have_three_digits_that_mean_something(value: float, text: str) -> None:
    assert table.number(value) == text


def test_the_rust_and_go_peers_stand_in_columns_and_have_no_rows() -> None:
    figures = Figures()
    done = work.get(MIB_BYTES)
    figures.take(
        [
            Sample(done, pair(PYTHON, PYTHON), 100.0),
            Sample(done, pair(PYTHON, PYTHON), 300.0),
            Sample(done, pair(GO, GO), 400.0),
            Sample(done, pair(RUST, RUST), 50.0),
            Sample(done, pair(GO, PYTHON), 80.0),
        ]
    )
    assert rows(table.figures_table(figures)) == [
        ["get 1 MiB", TMPFS, "MiB/s", "Python from Python", "200 (100-300)", "400", "50.0", "0.500 x", "4.00 x"],
        ["get 1 MiB", TMPFS, "MiB/s", "Go from Python", "80.0", "400", "50.0", "0.200 x", "1.60 x"],
    ]


def test_a_ceiling_has_nobody_beside_it() -> None:
    figures = Figures()
    figures.take([Sample(Work("LMDB write", "MiB/s", place=DISK), CEILING, 210.0)])
    assert rows(table.figures_table(figures)) == [["LMDB write", DISK, "MiB/s", CEILING, "210", "", "", "", ""]]


def test_goals_show_value_limits_and_verdict() -> None:
    figures = Figures()
    figures.take([Sample(work.START, PYTHON, 0.75)])
    shown = {row[0]: row[1:] for row in rows(table.reach_table(verdicts(figures)))}
    assert shown["start to ready"] == ["0.750 s", "1 s", "1 s", "aim met"]
    assert shown["1-byte request, against Go from Go"] == ["", "0.4 x", "0.6 x", "not measured"]


def test_a_bar_in_a_cell_does_not_part_it() -> None:
    line = table.markdown(["a"], [["x|y"]]).splitlines()[2]
    assert line == "| x\\|y |"


def test_every_line_of_a_table_is_as_wide() -> None:
    lines = table.markdown(["head", "b"], [["1", "a long cell"], ["22", ""]]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert cells(lines[1]) == ["----", "-----------"]


def test_the_report_says_what_gave_no_figure_and_on_what_it_ran() -> None:
    figures = Figures({"machine": "two cores"})
    figures.failed(Failure("rust-0.54", "cargo is not installed"))
    text = table.report(figures, [])
    assert text.startswith("- machine: two cores\n")
    assert text.endswith("No figure:\n- rust-0.54: cargo is not installed\n")
    assert "No figure" not in table.report(Figures(), [])


def test_progress_names_the_place() -> None:
    assert (
        table.progress_line(work.add(MIB_BYTES, place=DISK), PYTHON, 99.44) == "add 1 MiB on disk, Python: 99.4 MiB/s"
    )
    assert table.progress_line(work.LATENCY, PYTHON, 0.5).startswith("1-byte request, one after another, Python: 0.500")
