"""Addresses whose connections break the rules: how often one may, before its next ones are turned away unheard.

A connection that breaks a rule is cut off, but whoever dialled it can dial again at once, and each handshake costs
milliseconds. Where nobody has broken a rule nothing is counted, however often it dials.
"""

from __future__ import annotations

from ipaddress import ip_address

from chiral.errors import LimitExceededError, ProtocolError
from chiral.limiter.keyed_buckets import KeyedBuckets
from chiral.yamux.frame import SilentPeerError

BURST = 16
RATE_PER_S = 1.0
"""Several peers may share an address, and a fault once a second is forgiven for ever."""
MAX_ADDRESSES = 4096
_IPV6_SITE_BITS = 64


class Offenders:
    """Counts offences by address. `now` is in seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._left = KeyedBuckets[str](rate=RATE_PER_S, burst=BURST, limit=MAX_ADDRESSES)

    def admit(self, address: str, now: float) -> None:
        """Let one connection come from `address`: if that has offended of late, only as often as offences are forgiven.

        Else many would come at once in the moment before the first of them offends. Raises `LimitExceededError`.
        """
        left = self._left.of(address, now)
        if left.wait_s(BURST, now) > 0 and not left.take(1, now):
            raise LimitExceededError(f"connections from {address} have broken the rules too often of late")

    def note(self, address: str, cause: Exception | None, now: float) -> None:
        """A connection from `address`, or its handshake, ended by `cause`; only a broken rule counts, not silence."""
        if isinstance(cause, ProtocolError) and not isinstance(cause, SilentPeerError):
            self._left.of(address, now).take(1, now)


def site_of(host: str) -> str:
    """What an IP address counts as: itself, or for IPv6 its /64, of which one machine has all addresses to choose."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{ip_address(int(address) >> _IPV6_SITE_BITS << _IPV6_SITE_BITS)}/{_IPV6_SITE_BITS}"
