//! Kademlia queries under way, each with the one who waits for it.

use std::collections::HashMap;

use libp2p::kad::{self, store::MemoryStore, GetClosestPeersError, GetProvidersOk, KBucketKey, QueryId, QueryResult};
use libp2p::PeerId;
use tokio::sync::mpsc;

use crate::client::Reply;

type Kad = kad::Behaviour<MemoryStore>;

enum Waiting {
    Done(Reply<()>),
    Providers(mpsc::UnboundedSender<PeerId>),
    Closest(Reply<Vec<PeerId>>),
}

pub struct Queries {
    me: PeerId,
    waiting: HashMap<QueryId, Waiting>,
}

impl Queries {
    pub fn new(me: PeerId) -> Self {
        Self { me, waiting: HashMap::new() }
    }

    pub fn provide(&mut self, kad: &mut Kad, key: Vec<u8>, reply: Reply<()>) {
        match kad.start_providing(key.into()) {
            Ok(id) => _ = self.waiting.insert(id, Waiting::Done(reply)),
            // The record store keeps 1,024 keys and no more.
            Err(error) => _ = reply.send(Err(error.to_string())),
        }
    }

    pub fn providers(&mut self, kad: &mut Kad, key: Vec<u8>, found: mpsc::UnboundedSender<PeerId>) {
        self.waiting.insert(kad.get_providers(key.into()), Waiting::Providers(found));
    }

    pub fn closest(&mut self, kad: &mut Kad, key: Vec<u8>, reply: Reply<Vec<PeerId>>) {
        self.waiting.insert(kad.get_closest_peers(key), Waiting::Closest(reply));
    }

    pub fn bootstrap(&mut self, kad: &mut Kad, reply: Reply<()>) {
        match kad.bootstrap() {
            Ok(id) => _ = self.waiting.insert(id, Waiting::Done(reply)),
            Err(error) => _ = reply.send(Err(error.to_string())),
        }
    }

    /// Takes one step of a query; gives back providers just found, which are worth a dial. This peer is not among them.
    pub fn progressed(&mut self, id: QueryId, result: QueryResult, last: bool) -> Vec<PeerId> {
        let others: Vec<PeerId> = match &result {
            QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })) => {
                providers.iter().copied().filter(|peer| *peer != self.me).collect()
            }
            _ => Vec::new(),
        };
        if let Some(Waiting::Providers(found)) = self.waiting.get(&id) {
            others.iter().for_each(|peer| _ = found.send(*peer));
        }
        if last {
            self.finish(id, &result);
        }
        others
    }

    fn finish(&mut self, id: QueryId, result: &QueryResult) {
        match (self.waiting.remove(&id), result) {
            (Some(Waiting::Done(reply)), QueryResult::StartProviding(Err(error))) => {
                _ = reply.send(Err(error.to_string()));
            }
            (Some(Waiting::Done(reply)), _) => _ = reply.send(Ok(())),
            (Some(Waiting::Closest(reply)), QueryResult::GetClosestPeers(result)) => {
                let (key, peers) = match result {
                    Ok(ok) => (&ok.key, &ok.peers),
                    Err(GetClosestPeersError::Timeout { key, peers }) => (key, peers),
                };
                let target = KBucketKey::new(key.clone());
                let mut peers: Vec<PeerId> = peers.iter().map(|peer| peer.peer_id).collect();
                peers.sort_by_key(|peer| KBucketKey::from(*peer).distance(&target));
                _ = reply.send(Ok(peers));
            }
            // The end of a provider query is told by dropping its sender.
            _ => {}
        }
    }
}
