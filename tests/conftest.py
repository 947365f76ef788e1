"""What every test shares: hypothesis without a clock or a memory, so that a run repeats."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "chiral", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("chiral")
