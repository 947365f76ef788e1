//! The task that owns the swarm: takes commands, drives events, answers each command when its event comes.

use std::collections::HashMap;
use std::sync::Arc;

use libp2p::futures::StreamExt;
use libp2p::kad;
use libp2p::request_response::{self, OutboundFailure, OutboundRequestId};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{identify, Multiaddr, PeerId, Swarm};
use tokio::sync::mpsc;

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::client::{BlockReply, Command, FetchError, Reply};
use crate::codec::{BlockRequest, BlockResponse};
use crate::queries::Queries;
use crate::store::Blockstore;

pub struct Network {
    swarm: Swarm<Behaviour>,
    store: Arc<Blockstore>,
    requests: HashMap<OutboundRequestId, BlockReply>,
    queries: Queries,
    dials: HashMap<ConnectionId, (PeerId, Reply<PeerId>)>,
    /// Connected; answered when identify has told the rest, or when the connection closes again.
    unidentified: HashMap<PeerId, Vec<Reply<PeerId>>>,
    kad_protocol: libp2p::StreamProtocol,
    external: bool,
}

impl Network {
    pub fn new(swarm: Swarm<Behaviour>, store: Arc<Blockstore>, options: &crate::options::Options) -> Self {
        Self {
            swarm,
            store,
            requests: HashMap::new(),
            queries: Queries::default(),
            dials: HashMap::new(),
            unidentified: HashMap::new(),
            kad_protocol: options.kad_protocol.clone(),
            external: options.external,
        }
    }

    /// Runs until every client is gone.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                event = self.swarm.select_next_some() => self.on_event(event),
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        let behaviour = self.swarm.behaviour_mut();
        match command {
            Command::Connect { peer, addr, reply } => self.connect(peer, addr, reply),
            Command::FetchBlock { peer, cid, reply } => {
                self.requests.insert(behaviour.blocks.send_request(&peer, BlockRequest { cid }), reply);
            }
            Command::Provide { key, reply } => self.queries.provide(&mut behaviour.kad, key, reply),
            Command::Providers { key, found } => self.queries.providers(&mut behaviour.kad, key, found),
            Command::Closest { key, reply } => self.queries.closest(&mut behaviour.kad, key, reply),
            Command::Bootstrap { nodes, reply } => {
                nodes.iter().for_each(|(peer, addr)| _ = behaviour.kad.add_address(peer, addr.clone()));
                self.queries.bootstrap(&mut behaviour.kad, reply);
            }
            Command::Peers { reply } => _ = reply.send(self.swarm.connected_peers().copied().collect()),
            Command::Addresses { reply } => _ = reply.send(self.swarm.listeners().cloned().collect()),
        }
    }

    /// Dials, and keeps the address for later: in 0.54 the new connection has nothing to do and closes at once.
    fn connect(&mut self, peer: PeerId, addr: Multiaddr, reply: Reply<PeerId>) {
        self.swarm.behaviour_mut().kad.add_address(&peer, addr.clone());
        let dial = DialOpts::peer_id(peer).addresses(vec![addr]).condition(PeerCondition::Always).build();
        let connection = dial.connection_id();
        match self.swarm.dial(dial) {
            Ok(()) => _ = self.dials.insert(connection, (peer, reply)),
            Err(error) => _ = reply.send(Err(error.to_string())),
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Blocks(event)) => self.on_blocks(event),
            SwarmEvent::Behaviour(BehaviourEvent::Kad(event)) => self.on_kad(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => self.on_identify(event),
            SwarmEvent::NewListenAddr { address, .. } if self.external => self.swarm.add_external_address(address),
            SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                if let Some((peer, reply)) = self.dials.remove(&connection_id) {
                    self.unidentified.entry(peer).or_default().push(reply);
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some((_, reply)) = self.dials.remove(&connection_id) {
                    _ = reply.send(Err(error.to_string()));
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                self.answer_connects(peer_id);
            }
            _ => {}
        }
    }

    fn on_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else { return };
        if info.protocols.contains(&self.kad_protocol) {
            for addr in info.listen_addrs {
                self.swarm.behaviour_mut().kad.add_address(&peer_id, addr);
            }
        }
        self.answer_connects(peer_id);
    }

    fn answer_connects(&mut self, peer: PeerId) {
        for reply in self.unidentified.remove(&peer).unwrap_or_default() {
            _ = reply.send(Ok(peer));
        }
    }

    fn on_kad(&mut self, event: kad::Event) {
        let kad::Event::OutboundQueryProgressed { id, result, step, .. } = event else { return };
        for peer in self.queries.progressed(id, result, step.last) {
            // At once: while the query lasts Kademlia knows the provider's address, afterwards it may not.
            let dial = DialOpts::peer_id(peer).condition(PeerCondition::DisconnectedAndNotDialing).build();
            _ = self.swarm.dial(dial);
        }
    }

    fn on_blocks(&mut self, event: request_response::Event<BlockRequest, BlockResponse>) {
        use request_response::{Event, Message};
        match event {
            Event::Message { message: Message::Request { request, channel, .. }, .. } => {
                let response = BlockResponse { data: self.store.answer(&request.cid) };
                // Refused only when the requester is gone already.
                _ = self.swarm.behaviour_mut().blocks.send_response(channel, response);
            }
            Event::Message { message: Message::Response { request_id, response }, .. } => {
                self.answer(request_id, response.data.ok_or(FetchError::NotFound));
            }
            Event::OutboundFailure { request_id, error, .. } => {
                let error = match error {
                    OutboundFailure::DialFailure | OutboundFailure::ConnectionClosed => {
                        FetchError::Connection(error.to_string())
                    }
                    // What the codec refuses comes as Io as well, and so does a connection that dies in mid-answer.
                    OutboundFailure::Io(io) if io.kind() != std::io::ErrorKind::InvalidData => {
                        FetchError::Connection(io.to_string())
                    }
                    other => FetchError::Peer(other.to_string()),
                };
                self.answer(request_id, Err(error));
            }
            _ => {}
        }
    }

    fn answer(&mut self, request: OutboundRequestId, result: Result<bytes::Bytes, FetchError>) {
        if let Some(reply) = self.requests.remove(&request) {
            _ = reply.send(result);
        }
    }
}
