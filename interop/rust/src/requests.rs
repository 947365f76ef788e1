//! Block requests under way, each with the one who waits for its answer.

use std::collections::HashMap;

use bytes::Bytes;
use cid::Cid;
use libp2p::request_response::{OutboundFailure, OutboundRequestId};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::DialError;
use libp2p::{PeerId, Swarm};

use crate::behaviour::Behaviour;
use crate::client::{BlockReply, FetchError};
use crate::codec::{BlockRequest, BlockResponse};

#[derive(Default)]
pub struct Requests {
    sent: HashMap<OutboundRequestId, BlockReply>,
    /// For peers that are being dialled. Left to request-response, each request would dial; in 0.54 the second dial is
    /// refused since the first is under way, and that refusal fails every request that waits for the first.
    waiting: HashMap<PeerId, Vec<(Cid, BlockReply)>>,
}

impl Requests {
    pub fn ask(&mut self, swarm: &mut Swarm<Behaviour>, peer: PeerId, cid: Cid, reply: BlockReply) {
        if swarm.is_connected(&peer) {
            return self.send(swarm, peer, cid, reply);
        }
        self.waiting.entry(peer).or_default().push((cid, reply));
        let dial = DialOpts::peer_id(peer).condition(PeerCondition::DisconnectedAndNotDialing).build();
        match swarm.dial(dial) {
            // Condition false: somebody dials already.
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => self.unreachable(peer, &error.to_string()),
        }
    }

    fn send(&mut self, swarm: &mut Swarm<Behaviour>, peer: PeerId, cid: Cid, reply: BlockReply) {
        self.sent.insert(swarm.behaviour_mut().blocks.send_request(&peer, BlockRequest { cid }), reply);
    }

    pub fn connected(&mut self, swarm: &mut Swarm<Behaviour>, peer: PeerId) {
        for (cid, reply) in self.waiting.remove(&peer).unwrap_or_default() {
            self.send(swarm, peer, cid, reply);
        }
    }

    pub fn unreachable(&mut self, peer: PeerId, why: &str) {
        for (_, reply) in self.waiting.remove(&peer).unwrap_or_default() {
            _ = reply.send(Err(FetchError::Connection(why.into())));
        }
    }

    pub fn answered(&mut self, request: OutboundRequestId, response: BlockResponse) {
        self.finish(request, response.data.ok_or(FetchError::NotFound));
    }

    pub fn failed(&mut self, request: OutboundRequestId, error: OutboundFailure) {
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
        self.finish(request, Err(error));
    }

    fn finish(&mut self, request: OutboundRequestId, result: Result<Bytes, FetchError>) {
        if let Some(reply) = self.sent.remove(&request) {
            _ = reply.send(result);
        }
    }
}
