"""The routing table's configuration: who is let in, and how it outlives the process. Times in seconds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from chiral.kad.diversity import DiversityLimits

_DAY_S = 24 * 3600.0


class DiversitySettings(BaseModel):
    """How many peers of one IPv4 /24 or IPv6 /48 a routing table takes. Where a swarm of one's own stands in one public
    network, these are to be raised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_bucket: int = Field(2, ge=1, le=1_000_000)
    per_table: int = Field(3, ge=1, le=1_000_000)
    exempt_private: bool = True
    """Whether loopback, private and link-local addresses are left out of the count."""

    def limits(self) -> DiversityLimits:
        """The same for the table."""
        return DiversityLimits(self.per_bucket, self.per_table)


class TableSettings(BaseModel):
    """How the routing table is kept in the store, and brought back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    save_s: float = Field(300.0, gt=0, le=365 * _DAY_S)
    """How often what has changed is saved."""
    keep_s: float = Field(7 * _DAY_S, gt=0, le=365 * _DAY_S)
    """How long a peer that left the table stays saved: it may be this node that was cut off."""
    saved_peers: int = Field(512, ge=0, le=1_000_000)
    """Peers of each protocol that are saved at most, those seen last."""
    revivals: int = Field(16, ge=1, le=1000)
    """Saved peers of each protocol that are asked at the same time, at a start, whether they still live."""
