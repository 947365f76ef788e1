"""Options by the names that people give."""

from __future__ import annotations

from typing import Any

import pytest

from chiral.chunker.adaptive import AdaptiveChunker
from chiral.chunker.fixed import FixedChunker
from chiral.dag.dag_profile import DEFAULT_PROFILE, PROFILES, DagProfile
from chiral.errors import UsageError
from chiral.files.add_options import AddOptions


@pytest.mark.parametrize(
    ("given", "profile"),
    [
        ({}, DEFAULT_PROFILE),
        ({"cid_version": 1}, DagProfile()),
        ({"cid_version": 0}, DagProfile(cid_version=0, raw_leaves=False)),
        ({"cid_version": 0, "raw_leaves": True}, DagProfile(cid_version=0)),
        ({"raw_leaves": False}, DagProfile(raw_leaves=False)),
        ({"trickle": True}, DagProfile(layout="trickle")),
        ({"profile": "unixfs-v0-2015"}, PROFILES["unixfs-v0-2015"]),
        ({"profile": "unixfs-v1-2025"}, PROFILES["unixfs-v1-2025"]),
    ],
)
def test_profiles(given: dict[str, Any], profile: DagProfile) -> None:
    assert AddOptions.named(**given).profile == profile


def test_chunkers() -> None:
    assert AddOptions.named().chunker is None
    assert AddOptions.named(chunker="adaptive").chunker == AdaptiveChunker()
    assert AddOptions.named(profile="unixfs-v1-2025").chunker == FixedChunker(1 << 20)
    assert AddOptions.named(profile="unixfs-v1-2025", chunker="size-2048").chunker == FixedChunker(2048)


@pytest.mark.parametrize("given", [{"profile": "x"}, {"chunker": "size-1"}, {"cid_version": 2}])
def test_what_is_none(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        AddOptions.named(**given)
