"""The local API's configuration: where it listens and what it lets in."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

DEFAULT_LISTEN = "127.0.0.1:0"


class ApiSettings(BaseModel):
    """Frozen; every wait in seconds. The API also answers on a Unix socket in the data directory, always."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = Field(DEFAULT_LISTEN, description="HOST:PORT of the HTTP API; port 0 takes a free one")
    allow_remote: bool = Field(False, description="permit a listen address that is not loopback; there is no TLS")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="further names that requests may give as Host, without a port"
    )
    max_connections: int = Field(256, gt=0, description="live connections to each of the two listeners")
    body_idle_s: float = Field(60.0, gt=0, description="longest wait for the next part of a request's body")
    shutdown_grace_s: float = Field(0.3, ge=0, description="time that requests under way are given at shutdown")

    @field_validator("listen")
    @classmethod
    def _is_host_and_port(cls, value: str) -> str:
        split_host_port(value)
        return value

    @model_validator(mode="after")
    def _stays_on_loopback(self) -> Self:
        host, _ = split_host_port(self.listen)
        if not (self.allow_remote or is_loopback_host(host)):
            raise ValueError(f"listen address {self.listen} is not loopback: set api.allow_remote to permit it")
        return self


def split_host_port(text: str) -> tuple[str, int]:
    """`(host, port)` of `HOST:PORT`, `[IPv6]:PORT` or `:PORT` (loopback); raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT, for example 127.0.0.1:5101")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: write an IPv6 address in brackets, for example [::1]:5101")
    return host or "127.0.0.1", int(port)


def is_loopback_host(host: str) -> bool:
    """Whether `host` is `localhost` or a loopback IP literal."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
