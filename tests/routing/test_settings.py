"""The configuration: the documented defaults, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chiral.routing.settings import HOUR_S, KadSettings


def test_defaults() -> None:
    settings = KadSettings()
    assert settings.protocols == ("/ipfs/kad/1.0.0",)
    assert (settings.k, settings.alpha, settings.mode) == (20, 10, "auto")
    assert (settings.provider_ttl_s, settings.republish_s, settings.value_ttl_s) == (
        24 * HOUR_S,
        12 * HOUR_S,
        48 * HOUR_S,
    )
    assert (settings.query_timeout_s, settings.request_timeout_s, settings.refresh_s) == (60, 10, HOUR_S)


@pytest.mark.parametrize(
    "wrong",
    [
        {"k": 0},
        {"alpha": 0},
        {"mode": "relay"},
        {"protocols": ()},
        {"protocols": ("no slash",)},
        {"protocols": ("/a b",)},
        {"query_timeout_s": 0},
        {"provider_ttl_s": -1},
        {"unknown": 1},
        {"inbound": {"streams": 0}},
        {"outbound": {"announce_batch": 0}},
    ],
)
def test_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KadSettings(**wrong)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        KadSettings().k = 3  # type: ignore[misc]
