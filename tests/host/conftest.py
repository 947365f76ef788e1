"""What tests of the host share."""

from __future__ import annotations

import pytest

from chiral.host import hold


@pytest.fixture
def nobody_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stream is opened to hold a connection: every one that is seen is the test's."""
    monkeypatch.setattr(hold, "PATIENT_AGENTS", ("",))
