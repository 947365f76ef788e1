"""What the API shows of value records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chiral.api.value_records import FoundRecord, ValueView
from chiral.interface.values import RecordFound

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "metadata-record-1.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: vector["what"])
def test_a_metadata_record_is_shown_in_words(vector: dict[str, Any]) -> None:
    fields = dict(vector["fields"])
    del fields["author_key_hex"]
    view = ValueView.of(vector["key"].encode(), bytes.fromhex(vector["value_hex"]))
    assert view.metadata is not None
    assert view.metadata.model_dump() == fields


def test_what_is_no_metadata_record() -> None:
    value = bytes.fromhex(VECTORS["valid"][0]["value_hex"])
    assert ValueView.of(b"metadata:x", b"no record").metadata is None
    assert ValueView.of(b"/pk/x", value).metadata is None


def test_a_quorum_that_was_not_reached() -> None:
    shown = FoundRecord.of(RecordFound(b"/pk/x", b"best", (b"worse",), answers=2, needed=3))
    assert (shown.reached, shown.answers, shown.needed) == (False, 2, 3)
    assert [other.value for other in shown.others] == [b"worse".hex()]
