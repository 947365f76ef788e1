"""Who this node is, whom it is connected to, and connecting to more."""

from __future__ import annotations

import trio
from fastapi import APIRouter
from pydantic import BaseModel, Field

import chiral
from chiral.api.answers import LateAnswer
from chiral.api.context import Context
from chiral.api.records import Connection, ConnectionList, Peer
from chiral.host.addresses import parse_peer_address
from chiral.interface.peer import PeerInfo

router = APIRouter(tags=["peers"])


class Identity(BaseModel):
    """This node. `addrs` are what others dial, each with the peer id."""

    peer_id: str
    addrs: list[str]
    version: str


class Dial(BaseModel):
    """The address of a peer, ending in `/p2p/` and its id."""

    addr: str = Field(max_length=1024)


@router.get("/id")
async def show_identity(context: Context) -> Identity:
    """Who this node is and where it listens."""
    node = context.node
    return Identity(peer_id=str(node.peer_id), addrs=node.listen_addrs_text(), version=chiral.__version__)


@router.get("/peers")
async def list_connections(context: Context) -> ConnectionList:
    """The live connections."""
    now = trio.current_time()
    return ConnectionList(items=[Connection.of(info, now) for info in context.node.connections.connections()])


@router.post("/peers", response_model=Peer)
async def connect(context: Context, asked: Dial) -> LateAnswer:
    """Be connected to a peer."""
    peer, address = parse_peer_address(asked.addr)
    info = PeerInfo(peer, (address,))

    async def work() -> Peer:
        await context.node.connections.connect(info)
        return Peer.of(info)

    return LateAnswer(work)
