"""What `chiral/docs/object-stores.md` says is so: its settings are the program's, its examples load."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from chiral.config.load import load_config
from chiral.config.model import NodeConfig
from chiral.store.s3_keys import KeySpace
from chiral.store.s3_settings import S3Settings

TEXT = (Path(__file__).parents[2] / "chiral" / "docs" / "object-stores.md").read_text(encoding="utf-8")
STORE: dict[str, Any] = NodeConfig(data_dir=Path("x")).store.model_dump(mode="json")
ROWS = re.findall(r"^\| `store\.([a-z0-9_.]+)` \| `(.*?)` \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("setting", "default"), ROWS)
def test_the_defaults_are_the_programs(setting: str, default: str) -> None:
    room, _, name = setting.rpartition(".")
    held = STORE[room] if room else STORE
    shown = "**********" if name == "secret_key" else held[name]
    assert json.loads(default) == shown


def test_every_setting_is_told() -> None:
    assert {name for name, _ in ROWS if name.startswith("s3.")} == {f"s3.{name}" for name in S3Settings.model_fields}


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "config.toml").write_text(examples[0])
    store = load_config(tmp_path, environ={}).config.store
    assert store.blocks == "s3"
    assert store.s3.region == tomllib.loads(examples[1])["s3_api"]["s3_region"] == "garage"


def test_the_keys_look_as_they_are_told() -> None:
    keys = KeySpace(S3Settings().prefix)
    multihash = bytes.fromhex("1220abcd01")
    assert f"{keys.of(multihash)}…  " in TEXT
    assert f"{keys.of(multihash)}….70  " in TEXT
    assert keys.mark_of(multihash, 0x70).endswith(".70")
