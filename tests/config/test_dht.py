"""The DHT's settings: from the file, the environment and the command line, and what is refused of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chiral.config.environment import variable_of
from chiral.config.load import load_config
from chiral.errors import ConfigError

SEED = {
    "routing.k": 20,
    "routing.alpha": 10,
    "routing.provider_ttl_s": 24 * 3600.0,
    "routing.republish_s": 12 * 3600.0,
    "routing.query_timeout_s": 60.0,
    "routing.protocols": ["/ipfs/kad/1.0.0"],
    "routing.mode": "auto",
    "announce": "all",
    "announce_keys": "both",
}
"""Seed 002's numbers, and those that the specification leaves open."""
OTHERS: list[tuple[str, str, str, Any]] = [
    ("routing.k", "8", "8", 8),
    ("routing.alpha", "3", "3", 3),
    ("routing.provider_ttl_s", "172800", "172800", 172800.0),
    ("routing.republish_s", "3600.5", "3600.5", 3600.5),
    ("routing.query_timeout_s", "20", "20", 20.0),
    ("routing.protocols", '["/ipfs/kad/1.0.0", "/ipfs/lan/kad/1.0.0"]', "/ipfs/kad/1.0.0,/ipfs/lan/kad/1.0.0",
     ["/ipfs/kad/1.0.0", "/ipfs/lan/kad/1.0.0"]),
    ("routing.mode", '"client"', "client", "client"),
    ("announce", '"roots"', "roots", "roots"),
    ("announce_keys", '"multihash"', "multihash", "multihash"),
    ("routing.inbound.addrs_per_record", "4", "4", 4),
    ("routing.outbound.announce_batch", "50", "50", 50),
]  # fmt: skip


def shown(loaded_from: Path, environ: dict[str, str] | None = None, **flags: Any) -> dict[str, tuple[Any, str]]:
    """What `chiral config show` shows: value and origin by key."""
    return {
        key: (value, origin)
        for key, value, origin in load_config(loaded_from, environ=environ or {}, flags=flags).entries()
    }


def test_the_defaults_are_the_seeds(tmp_path: Path) -> None:
    settings = shown(tmp_path)
    assert {key: settings[key] for key in SEED} == {key: (value, "default") for key, value in SEED.items()}


@pytest.mark.parametrize(("key", "toml", "_", "value"), OTHERS)
def test_from_the_file(tmp_path: Path, key: str, toml: str, _: str, value: Any) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"{key} = {toml}\n")
    assert shown(tmp_path)[key] == (value, str(file))


@pytest.mark.parametrize(("key", "_", "text", "value"), OTHERS)
def test_from_the_environment(tmp_path: Path, key: str, _: str, text: str, value: Any) -> None:
    (tmp_path / "config.toml").write_text("routing.k = 5\n")
    assert shown(tmp_path, {variable_of(key): text})[key] == (value, "environment")


@pytest.mark.parametrize(
    ("key", "value"), [("routing.protocols", ["/mine/kad/1.0.0"]), ("routing.mode", "server"), ("announce", "off")]
)
def test_from_the_command_line(tmp_path: Path, key: str, value: Any) -> None:
    environ = {variable_of("routing.mode"): "client", variable_of("routing.protocols"): "/other"}
    assert shown(tmp_path, environ, **{key: value})[key] == (value, "command line")


@pytest.mark.parametrize(
    ("key", "toml", "said"),
    [
        ("routing.k", "0", "greater than or equal to 1, not 0"),
        ("routing.k", '"many"', "valid integer"),
        ("routing.alpha", "-3", "greater than or equal to 1"),
        ("routing.provider_ttl_s", "-1", "greater than 0"),
        ("routing.query_timeout_s", "0", "greater than 0"),
        ("routing.query_timeout_s", "inf", "less than or equal to"),
        ("routing.query_timeout_s", "nan", "less than or equal to"),
        ("routing.protocols", "[]", "at least 1 item"),
        ("routing.protocols", '["kad"]', "match pattern"),
        ("routing.mode", '"relay"', "'server', 'client' or 'auto'"),
        ("announce", '"some"', "'all', 'roots' or 'off'"),
        ("announce_keys", "1", "'both', 'cid' or 'multihash'"),
        ("routing.kay", "20", "there is no such setting"),
    ],
)
def test_what_is_refused_is_named(tmp_path: Path, key: str, toml: str, said: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"{key} = {toml}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path, environ={})
    assert caught.value.message.startswith(f"{key} from {file}: ")
    assert said in caught.value.message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("interval", "ttl"), [("republish_s", "provider_ttl_s"), ("value_republish_s", "value_ttl_s")])
def test_records_are_repeated_before_they_expire(tmp_path: Path, interval: str, ttl: str) -> None:
    (tmp_path / "config.toml").write_text(f"routing.{interval} = 7200\nrouting.{ttl} = 7200\n")
    with pytest.raises(ConfigError, match=f"routing .*{interval} must be less than {ttl}"):
        load_config(tmp_path, environ={})
