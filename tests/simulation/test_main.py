"""The command: what it prints, and what it puts into the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.bench.record import BEGIN, END
from tests.simulation.__main__ import PAGE, main
from tests.simulation.conditions import Conditions
from tests.simulation.figures import Fit, mean, quantile
from tests.simulation.programme import SECTIONS, Effort, Run
from tests.simulation.record import sections_of

_TINY = Effort(10, 10, 20, 4, 4, 20, (6, 12), 0, (10, 100))


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulation.__main__.QUICK", _TINY)


def test_every_section_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nodes", "60", "--quick"]) == 0
    printed = capsys.readouterr().out
    assert [line[4:] for line in printed.splitlines() if line.startswith("### ")] == list(SECTIONS.values())
    assert "| 30% died at once |" in printed


def test_one_section_is_printed_and_recorded_and_the_others_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    old = f"{BEGIN}\n### {SECTIONS['sybils']}\nas it was\n### {SECTIONS['lookups']}\nold\n{END}"
    page.write_text(f"# Page\n{old}\ntail\n")
    assert main(["--nodes", "150", "--quick", "--only", "lookups", "--record", "--page", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("# Page\n")
    assert text.endswith("tail\n")
    found = sections_of(text)
    assert list(found) == [SECTIONS["lookups"], SECTIONS["sybils"]]
    assert found[SECTIONS["sybils"]] == "as it was"
    assert found[SECTIONS["lookups"]] in capsys.readouterr().out
    assert "not simulated" in found[SECTIONS["lookups"]]


def test_the_page_has_a_place_for_every_section() -> None:
    assert set(sections_of(PAGE.read_text())) <= set(SECTIONS.values())
    assert BEGIN in PAGE.read_text()


def test_sizes_grow_to_the_one_that_was_asked() -> None:
    run = Run(100_000, 1, _TINY, print)
    assert run.sizes() == [100, 300, 1_000, 3_000, 10_000, 100_000]
    assert run.living == 10_000


def test_the_line_through_points_on_a_line() -> None:
    fit = Fit.through([(2, 3.0), (8, 7.0), (32, 11.0)])
    assert fit is not None
    assert fit.at(1024) == pytest.approx(21.0)
    assert Fit.through([(2, 3.0)]) is None


def test_quantiles_and_means() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([1, 2, 3, 4], 0.95) == 4
    assert (quantile([], 0.5), mean([])) == (0.0, 0.0)


def test_the_times_are_those_of_a_real_node() -> None:
    conditions = Conditions()
    assert (conditions.k, conditions.alpha) == (20, 10)
    assert (conditions.request_timeout_s, conditions.stall_s) == (10.0, 3.0)
    assert conditions.republish_s == 12 * 3600.0
