//! The command line of the peer.

use clap::Parser;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, StreamProtocol};
use sha2::{Digest, Sha256};

/// Driven by lines on stdin, answers with one JSON object a line on stdout; see interop/README.md.
#[derive(Debug, Parser)]
#[command(name = "chiral-peer", version)]
pub struct Options {
    /// Address to listen on; may be given several times.
    #[arg(long, default_value = "/ip4/127.0.0.1/tcp/0")]
    pub listen: Vec<Multiaddr>,
    /// Address of a bootstrap node, ending in /p2p/ID; may be given several times.
    #[arg(long)]
    pub bootstrap: Vec<Multiaddr>,
    #[arg(long, default_value = "/ipfs/kad/1.0.0", value_parser = parse_protocol)]
    pub kad_protocol: StreamProtocol,
    /// Requests in flight while fetching a file.
    #[arg(long, default_value_t = 16)]
    pub inflight: usize,
    /// Text that fixes the identity: the Ed25519 secret is its SHA-256. Random without it.
    #[arg(long)]
    pub seed: Option<String>,
    /// Take the listen addresses as external ones, so that ADD_PROVIDER carries them (off: as libp2p comes).
    #[arg(long)]
    pub external: bool,
    /// Seconds an idle connection is kept; libp2p's own default without it (0.54: none, later: 10).
    #[arg(long)]
    pub idle_timeout: Option<u64>,
    /// Set TCP_NODELAY; libp2p's own default without it (0.54: off, later: on).
    #[arg(long)]
    pub nodelay: bool,
}

fn parse_protocol(text: &str) -> Result<StreamProtocol, String> {
    StreamProtocol::try_from_owned(text.into()).map_err(|e| e.to_string())
}

impl Options {
    pub fn keypair(&self) -> Keypair {
        match &self.seed {
            Some(text) => Keypair::ed25519_from_bytes(Sha256::digest(text).to_vec()).expect("32 bytes are a secret"),
            None => Keypair::generate_ed25519(),
        }
    }
}
