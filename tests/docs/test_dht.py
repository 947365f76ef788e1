"""What `chiral/docs/dht.md` says is so: its examples run, its numbers are the program's, its distances are right."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chiral.block.protobuf import MAX_PROTOBUF_VARINT_BYTES
from chiral.cli.commands.dht import COMMANDS
from chiral.config.model import NodeConfig
from chiral.kad.messages import MAX_MESSAGE_BYTES, MAX_PEERS_IN_LIST, MAX_READ_BYTES
from chiral.kad.server import MAX_KEY_BYTES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "chiral" / "docs" / "dht.md").read_text(encoding="utf-8")
DEADLINE_S = 120


def example(name: str) -> str:
    found = re.search(rf"<!-- run: {name} -->\n```\w+\n(.*?)```", TEXT, re.DOTALL)
    assert found, f"the page has no example {name}"
    return found[1]


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table whose heading row begins with `heading`."""
    table = TEXT.split(f"\n| {heading} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in table]


def run(command: list[str], directory: Path, **environ: str) -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(directory), **environ},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_python_example_runs(tmp_path: Path) -> None:
    out = run([sys.executable, "-c", example("python")], tmp_path)
    provider, close, where, peers = out.splitlines()
    peer = provider.split()[0]
    assert re.fullmatch(rf"{peer} distance [0-9a-f]{{64}}", provider)
    assert peer in close
    assert peer in where
    assert re.fullmatch(r"1 peers in buckets \[\d+\]", peers)


def test_the_example_of_the_command_line_runs(tmp_path: Path) -> None:
    (tmp_path / "chiral").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m chiral "$@"\n')
    (tmp_path / "chiral").chmod(0o755)
    script = f"set -eu\n{example('cli')}\nwait\n"
    out = run(["sh", "-c", script], tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert len(re.findall(r"^12D3KooW\w+  distance ", out, re.MULTILINE)) == 2, "a provider, and a peer that is close"
    assert "lookup time" in out
    assert "/ipfs/kad/1.0.0: 1 peer\n" in out


def test_the_distance_of_real_points() -> None:
    found = re.search(r"```python\n(from chiral import CID\n.*?)```", TEXT, re.DOTALL)
    assert found
    out = run([sys.executable, "-c", found[1]], ROOT)
    assert re.fullmatch(r"[0-9a-f]{64} \d+\n", out)


def test_the_worked_example() -> None:
    for _, point, xor, distance, shared, bucket in rows("peer"):
        value = 0b1011 ^ int(point.strip("`"), 2)
        assert (int(xor.strip("`"), 2), int(distance)) == (value, value)
        assert int(shared) == int(bucket) == 4 - value.bit_length()
    to_key = {peer: 0b0100 ^ int(point.strip("`"), 2) for peer, point, *_ in rows("peer")}
    order = sorted(to_key, key=lambda peer: to_key[peer])
    assert [f"{peer} ({to_key[peer]})" for peer in order[1:]] == ["D (7)", "E (10)", "B (13)", "A (14)"]
    assert "then D (7), E (10), B (13), A (14)" in TEXT
    assert (order[0], to_key["C"]) == ("C", 2)


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, dict) else {above + name: value}
    return found


DEFAULTS = flat(NodeConfig(data_dir=Path("x")).model_dump(mode="json"))


@pytest.mark.parametrize(("setting", "default"), [row[:2] for row in rows("setting")])
def test_the_defaults_are_the_programs(setting: str, default: str) -> None:
    assert json.loads(default.strip("`")) == DEFAULTS[setting.strip("`")]


def test_the_limits_are_the_programs() -> None:
    for _, limit, settings in rows("of"):
        names = re.findall(r"`([^`]+)`", settings)
        names = [name if not name.startswith(".") else names[0].rpartition(".")[0] + name for name in names]
        shown = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", limit)]
        if names:
            assert shown == [DEFAULTS[name] for name in names]
    assert f"{MAX_MESSAGE_BYTES >> 10} KiB written, {MAX_READ_BYTES >> 10} KiB read" in TEXT
    assert f"no varint over {MAX_PROTOBUF_VARINT_BYTES} bytes, at most {MAX_PEERS_IN_LIST} peers" in TEXT
    assert f"1 to {MAX_KEY_BYTES} bytes" in TEXT


def test_every_setting_that_is_named_exists() -> None:
    for name in re.findall(r"`((?:routing|store)\.[a-z_.]+)`", TEXT):
        assert name in DEFAULTS, name


def test_every_command_is_listed() -> None:
    assert set(re.findall(r"^chiral dht ([\w-]+)", TEXT, re.MULTILINE)) == set(COMMANDS)
