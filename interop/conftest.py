"""Which peers a scenario needs: built on first use, skipped where the tool to build them is not installed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interop.build import can_build, ensure, program_path
from interop.kinds import Kind


@pytest.fixture(scope="session")
def need() -> Callable[..., None]:
    """Call with the kinds a scenario needs. A build that fails is a failure, never a skip."""

    def check(*kinds: Kind) -> None:
        for kind in kinds:
            if kind is Kind.PYTHON:
                continue
            if not program_path(kind).exists() and not can_build(kind):
                pytest.skip(f"{kind.tool} is not installed: no {kind} peer")
            ensure(kind)

    return check
