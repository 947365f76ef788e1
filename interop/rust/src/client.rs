//! The handle through which commands reach the network task; cheap to clone.

use std::time::Duration;

use bytes::Bytes;
use cid::Cid;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot};

/// A closing connection fails a request that would succeed on a new one: tried again after 20, 40, 80 and 160 ms.
const RETRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(20);

pub type Reply<T> = oneshot::Sender<Result<T, String>>;

/// Why a block did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    NotFound,
    /// The connection went away or was never there: worth another try.
    Connection(String),
    /// The peer answered what the protocol does not allow, or not in time.
    Peer(String),
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => write!(f, "the peer does not have the block"),
            Self::Connection(why) | Self::Peer(why) => write!(f, "{why}"),
        }
    }
}

pub type BlockReply = oneshot::Sender<Result<Bytes, FetchError>>;

/// What the network task can be asked.
pub enum Command {
    Connect { peer: PeerId, addr: Multiaddr, reply: Reply<PeerId> },
    FetchBlock { peer: PeerId, cid: Cid, reply: BlockReply },
    Provide { key: Vec<u8>, reply: Reply<()> },
    Providers { key: Vec<u8>, found: mpsc::UnboundedSender<PeerId> },
    Closest { key: Vec<u8>, reply: Reply<Vec<PeerId>> },
    Bootstrap { nodes: Vec<(PeerId, Multiaddr)>, reply: Reply<()> },
    Peers { reply: oneshot::Sender<Vec<PeerId>> },
    Addresses { reply: oneshot::Sender<Vec<Multiaddr>> },
}

/// The peer id an address ends in.
fn peer_of(addr: &Multiaddr) -> Result<PeerId, String> {
    match addr.iter().last() {
        Some(Protocol::P2p(peer)) => Ok(peer),
        _ => Err(format!("{addr} does not end in /p2p/ID")),
    }
}

#[derive(Clone)]
pub struct Client {
    commands: mpsc::Sender<Command>,
}

impl Client {
    pub fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> T {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await;
        answer.await.expect("the network task answers everything it takes")
    }

    async fn send(&self, command: Command) {
        self.commands.send(command).await.unwrap_or_else(|_| unreachable!("the network task outlives its clients"));
    }

    /// Connects, waits for identify if the connection lasts so long, and remembers the address.
    pub async fn connect(&self, addr: Multiaddr) -> Result<PeerId, String> {
        let peer = peer_of(&addr)?;
        self.ask(|reply| Command::Connect { peer, addr, reply }).await
    }

    /// One request, tried again while connections close under it. The bytes are not verified.
    pub async fn fetch_block(&self, peer: PeerId, cid: Cid) -> Result<Bytes, FetchError> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..RETRIES {
            match self.ask(|reply| Command::FetchBlock { peer, cid, reply }).await {
                Err(FetchError::Connection(_)) => tokio::time::sleep(pause).await,
                answered => return answered,
            }
            pause *= 2;
        }
        self.ask(|reply| Command::FetchBlock { peer, cid, reply }).await
    }

    /// Done when libp2p says so, which is when the announcements are handed to their connections: one that 0.54 closes
    /// right after, for being idle, takes them with it unseen.
    pub async fn provide(&self, key: Vec<u8>) -> Result<(), String> {
        self.ask(|reply| Command::Provide { key, reply }).await
    }

    /// Providers of `cid` as they are found, under both keys: the whole CID's bytes and the bare multihash.
    pub async fn providers(&self, cid: &Cid) -> mpsc::UnboundedReceiver<PeerId> {
        let (found, providers) = mpsc::unbounded_channel();
        for key in [cid.to_bytes(), cid.hash().to_bytes()] {
            self.send(Command::Providers { key, found: found.clone() }).await;
        }
        providers
    }

    pub async fn closest(&self, key: Vec<u8>) -> Result<Vec<PeerId>, String> {
        self.ask(|reply| Command::Closest { key, reply }).await
    }

    /// Puts the nodes into the routing table and fills it by a lookup of this peer's own id. The query is what dials:
    /// a bare connection to the node would be closed by 0.54 before identify is through.
    pub async fn bootstrap(&self, addrs: &[Multiaddr]) -> Result<(), String> {
        let nodes = addrs.iter().map(|addr| Ok((peer_of(addr)?, addr.clone()))).collect::<Result<_, String>>()?;
        self.ask(|reply| Command::Bootstrap { nodes, reply }).await
    }

    pub async fn peers(&self) -> Vec<PeerId> {
        self.ask(|reply| Command::Peers { reply }).await
    }

    pub async fn addresses(&self) -> Vec<Multiaddr> {
        self.ask(|reply| Command::Addresses { reply }).await
    }
}
