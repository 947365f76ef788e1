"""Which addresses a peer can know of: nobody on the far side of the internet speaks of this machine's own interfaces.

Without this a stranger could have every node that asks it dial services on its own loopback. Private addresses pass,
because networks are joined by tunnels that show a public address at one end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from chiral.kad.addresses import ip_of
from chiral.kad.messages import Message, PeerEntry


def credible(addrs: Iterable[bytes], teller: bytes | None) -> tuple[bytes, ...]:
    """Those of `addrs` that may be told by a peer connected from the binary multiaddr `teller` (None if unknown).

    From a public address no loopback and no link-local ones; from anywhere else, all.
    """
    if not _is_public(teller):
        return tuple(addrs)
    return tuple(addr for addr in addrs if not _is_of_one_link(addr))


def credible_answer(answer: Message, teller: bytes | None) -> Message:
    """`answer` of a peer connected from `teller`, without the addresses in it that `credible` leaves out."""
    if not _is_public(teller):
        return answer
    return replace(answer, closer=_entries(answer.closer, teller), providers=_entries(answer.providers, teller))


def _entries(entries: tuple[PeerEntry, ...], teller: bytes | None) -> tuple[PeerEntry, ...]:
    return tuple(replace(entry, addrs=credible(entry.addrs, teller)) for entry in entries)


def _ip(addr: bytes) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(ip_of(addr) or b"")
    except ValueError:
        return None


def _is_public(addr: bytes | None) -> bool:
    ip = _ip(addr) if addr else None
    return ip is not None and ip.is_global


def _is_of_one_link(addr: bytes) -> bool:
    ip = _ip(addr)
    return ip is not None and (ip.is_loopback or ip.is_link_local)
