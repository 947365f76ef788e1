"""The error for what the API does not do for whoever asked."""

from __future__ import annotations

from chiral.errors import ChiralError


class RefusedError(ChiralError):
    """Not done for this caller, or not with this path."""

    code = "forbidden"
