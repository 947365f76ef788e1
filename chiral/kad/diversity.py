"""How many peers of one network a routing table takes, so that one operator's machines cannot fill it. Decides.

A network ("group") is an IPv4 /24 or an IPv6 /48: what one customer commonly holds, and so what costs an attacker
little. Source: Heilman et al., "Eclipse Attacks on Bitcoin's Peer-to-Peer Network" (2015), section 4; libp2p's peer
diversity filter, which counts coarser groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

_IP4 = 0x04
_IP6 = 0x29
_IP4_BYTES = 4
_IP6_BYTES = 16
_IP4_PREFIX_BYTES = 3
_IP6_PREFIX_BYTES = 6

Group = bytes
"""The multiaddr code of the address family and the first 3 (IPv4) or 6 (IPv6) bytes of the address."""
NO_GROUPS: frozenset[Group] = frozenset()


def groups_of(addrs: Iterable[bytes], *, exempt_private: bool = True) -> frozenset[Group]:
    """The groups of the binary multiaddrs `addrs`; of names, of malformed bytes and of unknown kinds there are none.

    With `exempt_private` loopback, private, link-local, shared and unspecified ranges have none either: in such
    networks all peers are neighbours. An IPv4 address inside an IPv6 one (mapped, 6to4) counts as the IPv4 address.
    """
    return frozenset(group for addr in addrs if (group := _group_of(addr, exempt_private)) is not None)


def _group_of(addr: bytes, exempt_private: bool) -> Group | None:
    ip = _ip_of(addr)
    if ip is None or (exempt_private and not ip.is_global):
        return None
    if isinstance(ip, IPv4Address):
        return bytes((_IP4,)) + ip.packed[:_IP4_PREFIX_BYTES]
    return bytes((_IP6,)) + ip.packed[:_IP6_PREFIX_BYTES]


def _ip_of(addr: bytes) -> IPv4Address | IPv6Address | None:
    """The address that the multiaddr begins with."""
    if not addr:
        return None
    code, value = addr[0], addr[1:]
    if code == _IP4 and len(value) >= _IP4_BYTES:
        return IPv4Address(value[:_IP4_BYTES])
    if code == _IP6 and len(value) >= _IP6_BYTES:
        ip = IPv6Address(value[:_IP6_BYTES])
        return ip.ipv4_mapped or ip.sixtofour or ip
    return None


@dataclass(frozen=True, slots=True)
class DiversityLimits:
    """How many peers of one group there may be in a bucket, and in the table as a whole."""

    per_bucket: int = 2
    per_table: int = 3


class GroupCount:
    """How many live peers of each group stand in each bucket and in the table."""

    def __init__(self, limits: DiversityLimits) -> None:
        self.limits = limits
        self._in_bucket: Counter[tuple[int, Group]] = Counter()
        self._in_table: Counter[Group] = Counter()

    def over(self, bucket: int, groups: Iterable[Group]) -> str | None:
        """Which limit one more peer of `groups` in bucket number `bucket` would break, in words; None if none."""
        for group in groups:
            if self._in_bucket[bucket, group] >= self.limits.per_bucket:
                return f"{self.limits.per_bucket} peers of {group_text(group)} are in its bucket"
            if self._in_table[group] >= self.limits.per_table:
                return f"{self.limits.per_table} peers of {group_text(group)} are in the table"
        return None

    def add(self, bucket: int, groups: Iterable[Group]) -> None:
        """A peer of `groups` came into `bucket`."""
        for group in groups:
            self._in_bucket[bucket, group] += 1
            self._in_table[group] += 1

    def remove(self, bucket: int, groups: Iterable[Group]) -> None:
        """A peer of `groups`, added before, left `bucket`."""
        for group in groups:
            self._in_bucket[bucket, group] -= 1
            self._in_table[group] -= 1
            # Only what is there is kept, so that memory does not grow with everybody who ever passed through.
            if not self._in_bucket[bucket, group]:
                del self._in_bucket[bucket, group]
            if not self._in_table[group]:
                del self._in_table[group]


def group_text(group: Group) -> str:
    """`group` as people write it: 192.0.2.0/24, 2001:db8:1::/48."""
    if group[0] == _IP4:
        return f"{IPv4Address(group[1:].ljust(_IP4_BYTES, bytes(1)))}/24"
    return f"{IPv6Address(group[1:].ljust(_IP6_BYTES, bytes(1)))}/48"
