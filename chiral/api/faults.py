"""The one shape every error of the API has, and the HTTP status of each family of errors."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from chiral.errors import (
    ChiralError,
    FileAccessError,
    ForbiddenError,
    NotFoundError,
    RemoteError,
    RequestTimeoutError,
    StoreFullError,
    StoreLockedError,
    TooLargeError,
    UsageError,
)

_log = logging.getLogger("chiral.api")

_HTTP_CODES = {401: "unauthorized", 403: "forbidden", 404: "no_route", 405: "method_not_allowed", 413: "too_large"}


class Fault(BaseModel):
    """What went wrong: `code` for machines, `message` of one line, `hint` on what to do (may be empty)."""

    code: str = Field(examples=["not_found"])
    message: str
    hint: str = ""


_STATUS: tuple[tuple[type[ChiralError], int], ...] = (
    (ForbiddenError, 403),
    (TooLargeError, 413),
    (UsageError, 400),
    (NotFoundError, 404),
    (RequestTimeoutError, 504),
    (RemoteError, 502),
    (StoreFullError, 507),
    (StoreLockedError, 503),
    (FileAccessError, 422),
)


def status_of(error: ChiralError) -> int:
    """The HTTP status of an error's family."""
    return next((status for family, status in _STATUS if isinstance(error, family)), 500)


def fault_of(error: BaseException) -> Fault:
    """The shape of `error`; what is not a `ChiralError` is logged here and only called an internal fault."""
    known = expected(error)
    if known is not None:
        return Fault(code=known.code, message=known.message, hint=known.hint)
    _log.error("an API call failed", exc_info=error)
    return Fault(code="internal", message="the node made a mistake", hint="its log says more")


def expected(error: BaseException) -> ChiralError | None:
    """The `ChiralError` that `error` is, also where a nursery wrapped it; None if it is anything else."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, ChiralError) else None


def response_of(error: BaseException) -> Response:
    """The HTTP answer to `error`."""
    known = expected(error)
    return JSONResponse(fault_of(error).model_dump(), 500 if known is None else status_of(known))


def install(app: FastAPI) -> None:
    """Make every error that `app` answers have the one shape."""

    async def on_error(request: Request, error: Exception) -> Response:
        return response_of(error)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        fault = Fault(code="usage", message=f"{where}: {first['msg']}", hint="/api/v1/openapi.json says what fits")
        return JSONResponse(fault.model_dump(), 400)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _HTTP_CODES.get(error.status_code, "usage")
        fault = Fault(code=code, message=str(error.detail), hint="/api/v1/openapi.json lists the routes")
        return JSONResponse(fault.model_dump(), error.status_code, headers=dict(error.headers or {}))

    app.add_exception_handler(ChiralError, on_error)
    app.add_exception_handler(ExceptionGroup, on_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_error)
