"""Reading the configuration: precedence, origins, and errors that say what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chiral.config.load import load_config
from chiral.config.model import NodeConfig
from chiral.config.profile import profile_names, read_profile
from chiral.errors import ConfigError, FileAccessError


def write(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_anything_all_is_default(tmp_path: Path) -> None:
    loaded = load_config(tmp_path, environ={})
    assert loaded.config == NodeConfig(data_dir=tmp_path)
    assert {origin for key, _, origin in loaded.entries() if key != "data_dir"} == {"default"}


def test_flags_over_environment_over_file_over_profile(tmp_path: Path) -> None:
    file = write(
        tmp_path, "profile = 'bootstrap'\n[host]\nmax_dials = 1\nmax_pending_inbound = 1\nmax_connections = 1\n"
    )
    environ = {"CHIRAL_HOST__MAX_DIALS": "2", "CHIRAL_HOST__MAX_PENDING_INBOUND": "2"}
    loaded = load_config(tmp_path, environ=environ, flags={"host.max_dials": 3, "host.dial_timeout_s": None})
    host = loaded.config.host
    assert (host.max_dials, host.max_pending_inbound, host.max_connections) == (3, 2, 1)
    assert host.dial_timeout_s == NodeConfig().host.dial_timeout_s
    origins = {key: origin for key, _, origin in loaded.entries()}
    assert origins["host.max_dials"] == "command line"
    assert origins["host.max_pending_inbound"] == "environment"
    assert origins["host.max_connections"] == str(file)
    assert origins["host.listen"] == "profile bootstrap"
    assert origins["host.dial_timeout_s"] == "default"


def test_a_profile_named_by_a_flag_beats_the_files(tmp_path: Path) -> None:
    write(tmp_path, "profile = 'default'\n")
    loaded = load_config(tmp_path, environ={}, flags={"profile": "bootstrap"})
    assert loaded.config.profile == "bootstrap"
    assert loaded.config.host.max_connections == read_profile("bootstrap")["host"]["max_connections"]


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_is_a_valid_configuration(name: str, tmp_path: Path) -> None:
    assert load_config(tmp_path, environ={}, flags={"profile": name}).config.profile == name


def test_where_the_data_directory_came_from(tmp_path: Path) -> None:
    def origin(environ: dict[str, str]) -> str:
        entries = load_config(tmp_path, environ=environ).entries()
        return next(origin for key, _, origin in entries if key == "data_dir")

    assert origin({}) == "command line"
    assert origin({"CHIRAL_DATA": str(tmp_path)}) == "environment"


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[host]\nmax_connectoins = 3\n", "host.max_connectoins", "did you mean host.max_connections?"),
        ("[nonsense]\nx = 3\n", "nonsense", "chiral config show"),
        ("[host]\nmax_connections = -1\n", "host.max_connections", "config.toml"),
        ("[host]\nmax_connections = 'many'\n", "not 'many'", "config.toml"),
        ("host = 3\n", "host from", "config.toml"),
        ("profile = 'turbo'\n", "no profile 'turbo'", "bootstrap, default"),
        ("data_dir = '/x'\n", "data_dir in", "--data"),
        ("[host\n", "is not TOML", "line"),
        ("[api]\nlisten = '0.0.0.0:5101'\n", "not loopback", "config.toml"),
    ],
)
def test_faults_name_the_key_and_say_what_to_do(tmp_path: Path, text: str, said: str, hint: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path, environ={})
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_fault_of_the_environment_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path, environ={"CHIRAL_HOST__MAX_DIALS": "x"})
    assert "host.max_dials from the environment" in caught.value.message
    assert "CHIRAL_HOST__MAX_DIALS" in caught.value.hint


def test_a_fault_of_a_flag_points_at_help(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"routing.protocols from the command line.*chiral run --help"):
        load_config(tmp_path, environ={}, flags={"routing.protocols": ["no slash"]})


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(FileAccessError, match=r"cannot read .*config\.toml"):
        load_config(tmp_path, environ={})


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path, environ={})


def test_the_process_environment_is_read_when_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "CHIRAL_HOST__MAX_DIALS", "5")
    assert load_config(tmp_path).config.host.max_dials == 5


@pytest.mark.parametrize(
    ("address", "said"), [("/ip4/1.2.3.4/tcp/1", "does not say which peer"), ("nonsense", "is not a multiaddr")]
)
def test_a_useless_bootstrap_address_is_refused_where_it_is_typed_and_nowhere_else(
    tmp_path: Path, address: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=f"bootstrap from the command line: .*{said}"):
        load_config(tmp_path, environ={}, flags={"bootstrap": [address]})
    assert load_config(tmp_path, environ={"CHIRAL_BOOTSTRAP": address}).config.bootstrap == (address,)
    write(tmp_path, f"bootstrap = ['{address}']\n")
    assert load_config(tmp_path, environ={}).config.bootstrap == (address,)
