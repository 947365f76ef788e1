from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chiral.config.load import load_config
from chiral.errors import ConfigError
from chiral.store.s3_settings import S3Settings
from chiral.store.settings import StoreSettings

SECRET = "[hush} 'quoted' \\ ="


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"endpoint": "127.0.0.1:3900"}, "not a URL"),
        ({"endpoint": "ftp://host"}, "not a URL"),
        ({"endpoint": "http://host/bucket"}, "not a URL"),
        ({"endpoint": "http://host:99999"}, "not a URL"),
        ({"bucket": "Blocks"}, "not a bucket's name"),
        ({"bucket": "ab"}, "not a bucket's name"),
        ({"prefix": "/blocks"}, "not a prefix"),
        ({"prefix": "a//b"}, "not a prefix"),
        ({"prefix": "../up"}, "not a prefix"),
        ({"prefix": "x" * 300}, "not a prefix"),
        ({"access_key": "KEY"}, "go together"),
        ({"secret_key": "S"}, "go together"),
        ({"access_key": "KEY", "secret_key": "S", "secret_key_file": "f"}, "one is enough"),
        ({"max_in_flight": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_used_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        S3Settings(**given)


def test_a_password_in_the_endpoint_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(Path("/nowhere"), environ={"CHIRAL_STORE__S3__ENDPOINT": "http://me:hush@host"})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(("given", "kept"), [("", ""), ("a", "a/"), ("a/b.c/", "a/b.c/"), ("node-1", "node-1/")])
def test_prefixes(given: str, kept: str) -> None:
    assert S3Settings(prefix=given).prefix == kept


def test_blocks_elsewhere_need_a_bucket() -> None:
    with pytest.raises(ValidationError, match=r"needs s3\.bucket"):
        StoreSettings(blocks="s3")
    assert StoreSettings().blocks == "lmdb"


def test_a_secret_of_the_environment_is_taken_as_it_is_and_never_shown(tmp_path: Path) -> None:
    environ = {
        "CHIRAL_STORE__BLOCKS": "s3",
        "CHIRAL_STORE__S3__BUCKET": "blocks",
        "CHIRAL_STORE__S3__ACCESS_KEY": "KEY",
        "CHIRAL_STORE__S3__SECRET_KEY": SECRET,
    }
    loaded = load_config(tmp_path, environ=environ)
    assert loaded.config.store.s3.secret_key.get_secret_value() == SECRET
    entries = {key: (value, origin) for key, value, origin in loaded.entries()}
    assert entries["store.s3.secret_key"] == ("**********", "environment")
    assert "hush" not in repr(loaded.config)


@pytest.mark.parametrize("text", ["secret_key = 123454321", 'secret_key = "123454321"'])
def test_a_secret_that_cannot_be_used_is_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(f"[store.s3]\n{text}\n")
    with pytest.raises(ConfigError, match=r"store\.s3") as caught:
        load_config(tmp_path, environ={})
    assert "123454321" not in "".join(traceback.format_exception(caught.value))
