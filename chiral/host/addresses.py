"""Multiaddrs at the edges: text and binary, the TCP endpoint they name, which of this machine's addresses they mean."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

import ifaddr
from multiaddr.exceptions import Error as MultiaddrError
from multiaddr.multiaddr import Multiaddr
from multiaddr.protocols import P_P2P

from chiral.errors import InvalidAddressError
from chiral.interface.peer import PeerId

_DNS = {"dns": 0, "dns4": 4, "dns6": 6}
_IP4_TCP_BYTES = 8
_IP6_TCP_BYTES = 20
_HINT = "an address looks like /ip4/192.0.2.1/tcp/4101 with /p2p/12D3KooW… after it where a peer is meant"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP endpoint: `host` is an IP literal or a DNS name (`dns` true, `family` 4, 6 or 0 for either)."""

    host: str
    port: int
    family: int
    dns: bool = False


def parse_address(text: str) -> bytes:
    """The binary form of multiaddr `text`; raises `InvalidAddressError`."""
    try:
        address = bytes(Multiaddr(text).to_bytes())
    except (MultiaddrError, ValueError, TypeError) as error:
        raise InvalidAddressError(f"{text!r} is not a multiaddr", hint=_HINT) from error
    if not address:
        raise InvalidAddressError("an address is empty", hint=_HINT)
    return address


def parse_peer_address(text: str) -> tuple[PeerId, bytes]:
    """Peer and address of `…/p2p/ID`; raises `InvalidAddressError`, also where the `/p2p/ID` is missing."""
    address, peer = split_peer(parse_address(text))
    if peer is None or not address:
        raise InvalidAddressError(f"{text!r} does not say which peer is there", hint=_HINT)
    return peer, address


def split_peer(address: bytes) -> tuple[bytes, PeerId | None]:
    """A binary address without its last `/p2p/ID`, and that id. Raises `InvalidAddressError` for malformed bytes."""
    if _is_plain_tcp(address):
        return address, None
    try:
        parsed = Multiaddr(address)
        protocols = [protocol.code for protocol in parsed.protocols()]
        if not protocols or protocols[-1] != P_P2P:
            return address, None
        value = parsed.split()[-1].value_for_protocol(P_P2P)
        suffix = Multiaddr(f"/p2p/{value}")
        return bytes(parsed.decapsulate(suffix).to_bytes()), PeerId.parse(str(value))
    except InvalidAddressError:
        raise
    except Exception as error:  # multiaddr's codecs raise whatever their values provoke
        raise InvalidAddressError("malformed multiaddr") from error


@lru_cache(maxsize=4096)
def address_text(address: bytes) -> str:
    """The text of a binary multiaddr, or its hexadecimal digits where it is malformed."""
    try:
        return str(Multiaddr(address))
    except Exception:  # multiaddr's codecs raise whatever their values provoke
        return f"(malformed {address[:16].hex()})"


@lru_cache(maxsize=4096)
def endpoint_of(address: bytes) -> Endpoint | None:
    """The plain TCP endpoint a binary multiaddr names, or None if it names anything else or is malformed."""
    try:
        parts = [part for part in str(Multiaddr(address)).split("/") if part]
    except Exception:  # multiaddr's codecs raise whatever their values provoke
        return None
    if len(parts) not in (4, 6) or parts[2] != "tcp" or (len(parts) == 6 and parts[4] != "p2p"):
        return None
    kind, host, port = parts[0], parts[1], int(parts[3])
    if kind in ("ip4", "ip6"):
        return Endpoint(host, port, 4 if kind == "ip4" else 6)
    if kind in _DNS:
        return Endpoint(host, port, _DNS[kind], dns=True)
    return None


def _is_plain_tcp(address: bytes) -> bool:
    """Whether the bytes are an IP address with a TCP port and nothing else: nearly all are, and need no parser."""
    if len(address) == _IP4_TCP_BYTES:
        return address[0] == 0x04 and address[5] == 0x06
    return len(address) == _IP6_TCP_BYTES and address[0] == 0x29 and address[17] == 0x06


def address_of_endpoint(host: str, port: int) -> bytes:
    """The binary multiaddr of an IP literal and a TCP port; an IPv4 address inside IPv6 is written as IPv4."""
    ip = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return b"".join((b"\x04" if ip.version == 4 else b"\x29", ip.packed, b"\x06", port.to_bytes(2, "big")))


def is_loopback(address: bytes) -> bool:
    """Whether the address names this machine's loopback."""
    endpoint = endpoint_of(address)
    return endpoint is not None and not endpoint.dns and ipaddress.ip_address(endpoint.host).is_loopback


def reachable_addresses(host: str, port: int) -> list[bytes]:
    """What a socket bound to `host` is reached at: the address itself, or each interface's own where it is a wildcard.

    Link-local IPv6 is left out, because it means nothing without its zone.
    """
    bound = ipaddress.ip_address(host)
    if not bound.is_unspecified:
        return [address_of_endpoint(host, port)]
    found = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            ip = ipaddress.ip_address(entry.ip if isinstance(entry.ip, str) else entry.ip[0])
            if ip.version == bound.version and not ip.is_link_local:
                found.append(address_of_endpoint(str(ip), port))
    return sorted(found, key=is_loopback)
