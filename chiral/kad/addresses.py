"""Binary multiaddrs as they come from others: which can be dialled at all, and what they say without the peer.

Source: multiformats/multiaddr, "Binary format" and protocols.csv. Dials nothing and knows nothing of reachability.
"""

from __future__ import annotations

from collections.abc import Iterable

from chiral.block.varint import VarintError, decode_varint
from chiral.interface.peer import PeerId

MAX_ADDR_BYTES = 256
MAX_ADDRS = 16
_P2P = 421
_VARIABLE = -1
IP4, IP6 = 4, 41
_PORTS = (6, 33, 132, 273)
_V4_IN_V6 = bytes(10) + b"\xff\xff"
# Value sizes in bytes of the protocols that may stand in an address of a peer; an unknown one cannot be passed over,
# because its size is not on the wire.
_SIZES = {
    4: 4,  # ip4
    6: 2,  # tcp
    33: 2,  # dccp
    41: 16,  # ip6
    42: _VARIABLE,  # ip6zone
    43: 1,  # ipcidr
    53: _VARIABLE,  # dns
    54: _VARIABLE,  # dns4
    55: _VARIABLE,  # dns6
    56: _VARIABLE,  # dnsaddr
    132: 2,  # sctp
    273: 2,  # udp
    275: 0,  # p2p-webrtc-star
    276: 0,  # p2p-webrtc-direct
    277: 0,  # p2p-stardust
    280: 0,  # webrtc-direct
    281: 0,  # webrtc
    290: 0,  # p2p-circuit
    301: 0,  # udt
    302: 0,  # utp
    400: _VARIABLE,  # unix
    _P2P: _VARIABLE,
    443: 0,  # https
    444: 12,  # onion
    445: 37,  # onion3
    446: _VARIABLE,  # garlic64
    447: _VARIABLE,  # garlic32
    448: 0,  # tls
    449: _VARIABLE,  # sni
    454: 0,  # noise
    460: 0,  # quic
    461: 0,  # quic-v1
    465: 0,  # webtransport
    466: _VARIABLE,  # certhash
    477: 0,  # ws
    478: 0,  # wss
    479: 0,  # p2p-websocket-star
    480: 0,  # http
    481: _VARIABLE,  # http-path
    777: 8,  # memory
}


def clean_addrs(peer: PeerId, addrs: Iterable[bytes], limit: int = MAX_ADDRS) -> tuple[bytes, ...]:
    """The first `limit` different well-formed addresses of `peer`, without `/p2p/…` of itself at the end.

    Left out are malformed ones, those over `MAX_ADDR_BYTES`, those that end in the id of another peer, and those that
    lead nowhere: an unspecified, multicast, broadcast or reserved IP, a port 0.
    """
    found: dict[bytes, None] = {}
    for addr in addrs:
        plain = _plain(addr, peer)
        if plain:
            found[plain] = None
            if len(found) == limit:
                break
    return tuple(found)


def ip_of(addr: bytes) -> bytes | None:
    """The 4 or 16 bytes of the IP a well-formed `addr` begins with, an IPv4 in IPv6 as 4; None for other addresses."""
    if not addr:
        return None
    code, ip = addr[0], addr[1 : 1 + _SIZES[IP6]]
    if code == IP4:
        return ip[:4]
    if code != IP6:
        return None
    return ip[12:] if ip.startswith(_V4_IN_V6) else ip


def _leads_nowhere(code: int, value: bytes) -> bool:
    if code in _PORTS:
        return not any(value)
    if code == IP6 and value.startswith(_V4_IN_V6):
        code, value = IP4, value[12:]
    if code == IP4:
        return value[:1] == b"\0" or value[:1] >= b"\xe0"
    return code == IP6 and (not any(value) or value[:1] == b"\xff")


def _plain(addr: bytes, peer: PeerId) -> bytes | None:
    """`addr` without a last `/p2p/peer`; None if it is malformed or names somebody else."""
    if not 0 < len(addr) <= MAX_ADDR_BYTES:
        return None
    last_code, last_at, last_value = 0, 0, b""
    at = 0
    try:
        while at < len(addr):
            last_at = at
            last_code, at = decode_varint(addr, at)
            size = _SIZES[last_code]
            if size == _VARIABLE:
                size, at = decode_varint(addr, at)
            last_value = addr[at : at + size]
            if _leads_nowhere(last_code, last_value):
                return None
            at += size
    except (VarintError, KeyError):
        return None
    if at != len(addr):
        return None
    if last_code != _P2P:
        return addr
    return addr[:last_at] if last_value == peer.raw else None
