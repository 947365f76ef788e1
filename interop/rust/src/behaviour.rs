//! The swarm of seed 001: TCP, Noise, Yamux, Kademlia, identify, ping and the block protocol.
//!
//! Every setting is libp2p's own default unless an option says otherwise: this peer shows how a plain one behaves. In
//! 0.54 that means an idle connection is closed at once and Nagle's algorithm stays on.

use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::kad::{self, store::MemoryStore};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{identify, noise, ping, tcp, yamux, StreamProtocol, Swarm, SwarmBuilder};

use crate::codec::{BlockCodec, PROTOCOL};
use crate::options::Options;

pub const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub kad: kad::Behaviour<MemoryStore>,
    pub blocks: request_response::Behaviour<BlockCodec>,
    pub identify: identify::Behaviour,
    ping: ping::Behaviour,
}

impl Behaviour {
    fn new(key: &Keypair, kad_protocol: StreamProtocol) -> Self {
        let peer_id = key.public().to_peer_id();
        let mut kad_config = kad::Config::new(kad_protocol);
        kad_config.set_query_timeout(QUERY_TIMEOUT);
        let mut kad = kad::Behaviour::with_config(peer_id, MemoryStore::new(peer_id), kad_config);
        // Without an external address Kademlia would stay a client, and nobody could find anything through this peer.
        kad.set_mode(Some(kad::Mode::Server));
        let blocks_config = request_response::Config::default().with_request_timeout(REQUEST_TIMEOUT);
        let identify_config =
            identify::Config::new("/chiral/1.0.0".into(), key.public()).with_agent_version(AGENT.into());
        Self {
            kad,
            blocks: request_response::Behaviour::new([(PROTOCOL, ProtocolSupport::Full)], blocks_config),
            identify: identify::Behaviour::new(identify_config),
            ping: ping::Behaviour::default(),
        }
    }
}

pub fn build_swarm(key: Keypair, options: &Options) -> Result<Swarm<Behaviour>, Box<dyn std::error::Error>> {
    let tcp_default = tcp::Config::default();
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(
            if options.nodelay { tcp_default.nodelay(true) } else { tcp_default },
            noise::Config::new,
            yamux::Config::default,
        )?
        .with_behaviour(|key| Behaviour::new(key, options.kad_protocol.clone()))?
        .with_swarm_config(|default| match options.idle_timeout {
            Some(seconds) => default.with_idle_connection_timeout(Duration::from_secs(seconds)),
            None => default,
        })
        .build();
    Ok(swarm)
}
