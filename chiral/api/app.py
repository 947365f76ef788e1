"""The application: every route under /api/v1, one error shape, OpenAPI at /api/v1/openapi.json."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

import chiral
from chiral.api import faults
from chiral.api.context import ApiContext
from chiral.api.faults import Fault
from chiral.api.routes import (
    blocks,
    catalogue,
    collection,
    content,
    dag,
    dht,
    files,
    peers,
    pins,
    status,
    store,
    values,
    versions,
)

PREFIX = "/api/v1"


def create_app(context: ApiContext) -> FastAPI:
    """The application that serves `context.node`. It checks nobody's token: that is the gate's duty."""
    app = FastAPI(
        title="Chiral",
        version=chiral.__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # the usual pages load scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    faults.install(app)
    every = APIRouter(prefix=PREFIX, responses={"default": {"model": Fault, "description": "What went wrong"}})
    for module in (
        files,
        content,
        blocks,
        dag,
        peers,
        dht,
        values,
        status,
        store,
        catalogue,
        versions,
        pins,
        collection,
    ):
        every.include_router(module.router)
    app.include_router(every)
    return app
