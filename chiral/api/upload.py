"""Request bodies that are data: as a stream of parts, or whole where they must be small."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import Request
from starlette.requests import ClientDisconnect

from chiral.errors import TooLargeError, UploadCutError


async def body_parts(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; raises `UploadCutError` if the client goes away before its end."""
    try:
        async for part in request.stream():
            if part:
                yield part
    except ClientDisconnect as error:
        raise UploadCutError("the upload ended before it was whole") from error


async def small_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body; raises `TooLargeError` past the limit and `UploadCutError`."""
    data = bytearray()
    async for part in body_parts(request):
        data += part
        if len(data) > limit_bytes:
            raise TooLargeError(f"the body is over the limit of {limit_bytes} bytes")
    return bytes(data)
