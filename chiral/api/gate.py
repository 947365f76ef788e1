"""The gate before the application: who may ask, from where, and how an exchange ends that goes wrong half-way.

On TCP it refuses wrong hosts and origins, which is what stops web pages from reaching the API by DNS rebinding or
cross-site requests. Everywhere it asks for the token.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from dataclasses import dataclass
from typing import Literal

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from chiral.api.body import RequestBody
from chiral.api.faults import Fault

Transport = Literal["unix", "tcp"]
TRANSPORT_KEY = "chiral.transport"
ABORT_KEY = "chiral.abort"
"""In a connection's state: a function that closes the connection at once."""

_log = logging.getLogger("chiral.api")


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is let in: the holder of `token`, and on TCP (`port` given) only under the names in `hosts`."""

    token: str
    port: int | None = None
    hosts: frozenset[str] = frozenset()
    any_address: bool = False
    """Whether Host may be any IP literal (for a wildcard bind): an attack by rebinding needs a name."""

    def refusal(self, headers: dict[bytes, bytes]) -> tuple[int, Fault] | None:
        """`(status, fault)` if a request with these headers is not let in."""
        if self.port is not None:
            host = headers.get(b"host", b"").decode("latin-1").lower()
            if not self._serves(host):
                return 403, Fault(code="forbidden", message=f"host {host[:80]!r} is not served here")
            origin = headers.get(b"origin")
            if origin is not None and origin.decode("latin-1").lower() != f"http://{host}":
                return 403, Fault(code="forbidden", message="requests of other origins are refused")
        given = headers.get(b"authorization", b"")
        if not hmac.compare_digest(given, b"Bearer " + self.token.encode()):
            hint = "send 'Authorization: Bearer' with the token in api.token of the data directory"
            return 401, Fault(code="unauthorized", message="the token is missing or wrong", hint=hint)
        return None

    def _serves(self, host: str) -> bool:
        name, colon, port = host.rpartition(":")
        if not colon or port != str(self.port):
            return False
        return name in self.hosts or (self.any_address and _is_ip_literal(name))


def _is_ip_literal(name: str) -> bool:
    try:
        ipaddress.ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    except ValueError:
        return False
    return True


class Gate:
    """An ASGI application that stands before another and marks each request with its transport."""

    def __init__(self, app: ASGIApp, transport: Transport, admission: Admission, *, body_idle_s: float) -> None:
        self._app = app
        self._transport = transport
        self._admission = admission
        self._body_idle_s = body_idle_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        body = RequestBody(receive, send, idle_s=self._body_idle_s, bounded=scope["method"] != "PUT")
        scope[TRANSPORT_KEY] = self._transport
        refusal = self._admission.refusal(headers) or body.refusal(headers)
        if refusal is not None:
            status, fault = refusal
            await JSONResponse(fault.model_dump(), status)(scope, body.receive, body.send)
            return
        try:
            await self._app(scope, body.receive, body.send)
        except Exception:
            if not body.answered:  # otherwise the application has said and logged it
                _log.exception("an API call failed")
        if not body.answered:
            scope["state"][ABORT_KEY]()
            await body.discard()
