"""A fake node in a process of its own, and the command line run against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chiral.cli.main import run

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Running:
    """A node that runs: its data directory, the URL of its API, and the CIDs of what it holds by what they are of."""

    data_dir: Path
    api: str
    held: dict[str, str]
    pid: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command ended with."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()

    @property
    def json(self) -> list[Any]:
        return [json.loads(line) for line in self.lines]


Cli = Callable[..., Outcome]


def running(folder: Path, *arguments: str) -> Iterator[Running]:
    """Run a fake node while the generator waits."""
    command = [sys.executable, "-m", "tests.fakes.node", str(folder), *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        try:
            yield Running(folder, ready["api"], ready["held"], process.pid)
        finally:
            if (folder / "api.json").exists():  # else it is on its way out already
                process.terminate()
            assert process.wait(10) == 0


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A node shared by all tests that leave it as it is."""
    yield from running(tmp_path_factory.mktemp("shared") / "node")


@pytest.fixture
def own_node(tmp_path: Path) -> Iterator[Running]:
    """A node of the test's own."""
    yield from running(tmp_path / "node")


@pytest.fixture
def stalling_node(tmp_path: Path) -> Iterator[Running]:
    """A node whose files stop after their first chunk."""
    yield from running(tmp_path / "node", "--stall")


@pytest.fixture(autouse=True)
def _nothing_of_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("CHIRAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def cli(capfdbinary: pytest.CaptureFixture[bytes]) -> Cli:
    """Runs the command line in this process."""

    def call(*arguments: object) -> Outcome:
        code = run([str(argument) for argument in arguments])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Outcome(code, out, err.decode())

    return call


@pytest.fixture(params=["unix", "tcp"])
def way(request: pytest.FixtureRequest, node: Running) -> list[str]:
    """The options that lead to the shared node, over either transport."""
    if request.param == "unix":
        return ["--data", str(node.data_dir)]
    return ["--data", str(node.data_dir), "--api", node.api]
