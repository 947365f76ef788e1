"""The API's settings: where it may listen."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chiral.config.api import ApiSettings, is_loopback_host, split_host_port


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:5101", ("127.0.0.1", 5101)),
        ("[::1]:0", ("::1", 0)),
        (":80", ("127.0.0.1", 80)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert split_host_port(text) == expected


@pytest.mark.parametrize("text", ["", "5101", "host:", "host:x", "host:65536", "::1:80", "h:-1", "h:１"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|brackets"):
        split_host_port(text)
    with pytest.raises(ValidationError):
        ApiSettings(listen=text)


@pytest.mark.parametrize("text", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "example.org:1", ":1"])
def test_only_loopback_unless_permitted(text: str) -> None:
    assert ApiSettings(listen=text, allow_remote=True).listen == text
    if text == ":1":
        assert ApiSettings(listen=text).listen == text
    else:
        with pytest.raises(ValidationError, match="not loopback"):
            ApiSettings(listen=text)


def test_loopback_hosts() -> None:
    assert all(map(is_loopback_host, ["127.0.0.1", "127.9.9.9", "::1", "localhost"]))
    assert not any(map(is_loopback_host, ["0.0.0.0", "10.0.0.1", "example.org", ""]))
