"""The command line of the benchmark: what is measured, and groups that fail without ending the run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import trio

from interop.bench import __main__ as command
from interop.bench import facts, record, work
from interop.bench.figures import Figures
from interop.bench.run import Options, Run
from interop.bench.work import PYTHON, Sample
from interop.build import BuildError
from interop.child import PeerError
from interop.kinds import Kind


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Options(5, False, 1.0), Figures(), tmp_path, tmp_path, [Kind.PYTHON], float("inf"))


def test_all_is_measured_five_times_by_default() -> None:
    asked = command.parse([])
    assert command.options_of(asked) == Options(rounds=5, quick=False, budget_s=900.0)
    assert command.chosen(asked) == list(command.GROUPS)


def test_quick_is_three_rounds_without_the_large_file() -> None:
    asked = command.parse(["--quick"])
    assert command.options_of(asked).rounds == 3
    assert set(command.GROUPS) - set(command.chosen(asked)) == {"large"}


def test_groups_are_chosen_by_name_and_keep_their_order() -> None:
    assert command.chosen(command.parse(["--only", "blocks", "--only", "ceilings", "--quick"])) == [
        "ceilings",
        "blocks",
    ]
    with pytest.raises(SystemExit):
        command.parse(["--only", "nothing"])


async def test_a_group_that_fails_does_not_end_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(run: Run) -> None:
        async with trio.open_nursery():
            raise PeerError("did not start")

    async def sound(run: Run) -> None:
        run.figures.take([Sample(work.START, PYTHON, 1.0)])

    monkeypatch.setattr(command, "GROUPS", {"broken": (broken,), "sound": (sound,)})
    await command.measure_groups(run, ["broken", "sound"])
    assert [(failure.what, failure.why) for failure in run.figures.failures] == [("broken", "did not start")]
    assert len(run.figures.series()) == 1


async def test_when_the_time_is_up_no_group_is_begun(run: Run) -> None:
    run.deadline = trio.current_time() - 1
    await command.measure_groups(run, ["ceilings"])
    assert run.figures.series() == []
    assert run.figures.failures[0].what == "ceilings"


def test_figures_can_be_shown_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = Figures({"machine": "here"})
    figures.take([Sample(work.START, PYTHON, 0.5)])
    record.save(tmp_path, figures, [], "")
    monkeypatch.setattr(sys, "argv", ["bench", "--from", str(tmp_path / record.JSON_FILE)])
    assert command.main() == 0
    assert "| start to ready" in capsys.readouterr().out
    assert (tmp_path / record.MARKDOWN_FILE).read_text() == ""


def test_facts_name_the_machine_and_the_peers(tmp_path: Path) -> None:
    told = facts.facts(Options(5, True, 1.0), tmp_path, tmp_path, [Kind.PYTHON, Kind.GO])
    assert "Go: go-libp2p" in told["peers"]
    assert "Rust" not in told["peers"]
    assert "quick" in told["rounds"]


def test_a_processor_without_a_name_is_named_by_its_kind() -> None:
    assert facts.cpu_name("processor\t: 0\nmodel name\t: Fast One\n") == "Fast One"
    assert facts.cpu_name("")


def test_peers_that_cannot_be_built_are_noted_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def ensure(kind: Kind) -> Path:
        if kind is not Kind.GO:
            raise BuildError(f"{kind}: cargo is not installed")
        return Path("peer")

    monkeypatch.setattr(command, "ensure", ensure)
    figures = Figures()
    assert command.built(figures) == [Kind.PYTHON, Kind.GO]
    assert [failure.what for failure in figures.failures] == ["Rust 0.54", "Rust"]
