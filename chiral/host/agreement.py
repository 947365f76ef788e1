"""Agreeing on what a whole channel speaks next, before it has streams: its security, then its multiplexer.

Not a byte is read that is not part of the negotiation, so that what follows finds the channel as it was left. It takes
no more than a few KiB of a remote that does not play along, and has no deadline of its own.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Protocol

from chiral.errors import StreamResetError
from chiral.host.negotiation import Answering, Proposal


class Channel(Protocol):
    """What bytes go through: a py-libp2p connection, raw or secured."""

    async def read(self, n: int | None = None) -> bytes: ...

    async def write(self, data: bytes) -> None: ...


async def propose(channel: Channel, protocol: str) -> None:
    """Agree on `protocol` or raise `UnsupportedProtocolError`, `ProtocolError`, `StreamResetError`."""
    proposal = Proposal(protocol)
    await channel.write(proposal.words)
    while proposal.wanted:
        proposal.take(await _some(channel, proposal.wanted))


async def answer(channel: Channel, spoken: Container[str]) -> str:
    """The first protocol proposed that is among `spoken`; raises `ProtocolError` or `StreamResetError`."""
    answering = Answering(spoken)
    agreed = None
    while agreed is None:
        agreed = answering.take(await _some(channel, answering.wanted))
        if answering.words:
            words, answering.words = answering.words, b""
            await channel.write(words)
    return agreed


async def _some(channel: Channel, max_bytes: int) -> bytes:
    data = await channel.read(max_bytes)
    if not data:
        raise StreamResetError("the connection ended before a protocol was agreed")
    return data
