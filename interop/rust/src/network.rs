//! The task that owns the swarm: takes commands, drives events, answers each command when its event comes.

use std::collections::HashMap;
use std::sync::Arc;

use libp2p::core::ConnectedPoint;
use libp2p::futures::StreamExt;
use libp2p::kad;
use libp2p::request_response;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{identify, Multiaddr, PeerId, Swarm};
use tokio::sync::mpsc;

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::client::{Command, Reply};
use crate::codec::{BlockRequest, BlockResponse};
use crate::queries::Queries;
use crate::requests::Requests;
use crate::store::Blockstore;

pub struct Network {
    swarm: Swarm<Behaviour>,
    store: Arc<Blockstore>,
    requests: Requests,
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
            queries: Queries::new(*swarm.local_peer_id()),
            swarm,
            store,
            requests: Requests::default(),
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
            Command::FetchBlock { peer, cid, reply } => self.requests.ask(&mut self.swarm, peer, cid, reply),
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
            SwarmEvent::ConnectionEstablished { connection_id, peer_id, endpoint, .. } => {
                // A provider's address is known while the query that found it lasts, and the connection may close
                // before identify tells it again: without this a redial would not know where to.
                if let ConnectedPoint::Dialer { address, .. } = endpoint {
                    self.swarm.add_peer_address(peer_id, address);
                }
                self.requests.connected(&mut self.swarm, peer_id);
                if let Some((peer, reply)) = self.dials.remove(&connection_id) {
                    self.unidentified.entry(peer).or_default().push(reply);
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, peer_id } => {
                if let Some(peer) = peer_id.filter(|peer| !self.swarm.is_connected(peer)) {
                    self.requests.unreachable(peer, &error.to_string());
                }
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
                self.requests.answered(request_id, response);
            }
            Event::OutboundFailure { request_id, error, .. } => self.requests.failed(request_id, error),
            _ => {}
        }
    }
}
