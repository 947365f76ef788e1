"""The soak's command line: how large its files are, what it prints and saves, what it ends with."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from interop.bench.work import GIB_BYTES, MIB_BYTES
from interop.child import PeerError
from interop.soak import __main__ as command
from interop.soak.sample import Usage
from interop.soak.verdict import Round, Soak


def soaked(threads_after: int) -> Soak:
    before, after = (Usage(120.0, 90.0, threads, 16, 512.0) for threads in (2, threads_after))
    rounds = [Round(n * GIB_BYTES, 500.0, 250.0, {"node": before}) for n in range(1, 9)]
    return Soak(rounds, command.WARM_UP_ROUNDS, {"node": before}, {"node": after})


@pytest.mark.parametrize(
    ("arguments", "mib"),
    [([], 512), (["--gib", "2"], 256), (["--gib", "0.001"], 1), (["--file-mib", "64"], 64)],
)
def test_files_are_small_enough_for_several_rounds(arguments: list[str], mib: int) -> None:
    assert command.file_size(command.parse(arguments)) == mib * MIB_BYTES


@pytest.mark.parametrize(("threads", "code"), [(2, 0), (9, 1)])
def test_growth_is_its_exit_code(
    threads: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders: list[Path] = []

    async def soak(asked: argparse.Namespace, folder: Path) -> Soak:
        folders.append(folder)
        return soaked(threads)

    monkeypatch.setattr(command, "soak", soak)
    with_data = ["--data", str(tmp_path), "--json", str(tmp_path / "figures.json")]
    assert command.main(with_data) == code
    assert ("GROWS" in capsys.readouterr().out) == bool(code)
    assert len(json.loads((tmp_path / "figures.json").read_text())["rounds"]) == 8
    assert folders[0].parent == tmp_path
    assert not folders[0].exists()


async def test_a_place_without_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: Callable[[Path], int] = lambda place: 4 * 512 * MIB_BYTES  # noqa: E731
    monkeypatch.setattr(command, "free_bytes", shown)
    with pytest.raises(PeerError, match="no room"), trio.fail_after(5):
        await command.soak(command.parse([]), tmp_path)
