//! A Rust peer of the Chiral swarm: commands on stdin, JSON lines on stdout. Lives as long as its stdin.

mod behaviour;
mod bench;
mod client;
mod codec;
mod commands;
mod content;
mod download;
mod network;
mod options;
mod queries;
mod requests;
mod store;

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde_json::{json, Value};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::client::Client;
use crate::commands::{Outcome, Peer};
use crate::options::Options;

const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// A bootstrap node may close the connection under the first lookups; see `Client::bootstrap`.
const JOIN_TRIES: u32 = 5;
const COMMANDS_QUEUED: usize = 256;

/// `println!` holds the lock of stdout for the whole line, so lines of several tasks never mix.
fn print_line(line: &Value) {
    println!("{line}");
}

fn print_reply(id: Value, outcome: Outcome) {
    let (mut reply, ok) = match outcome {
        Ok(fields) => (fields, true),
        Err(error) => (json!({ "error": error }), false),
    };
    reply["id"] = id;
    reply["ok"] = ok.into();
    print_line(&reply);
}

/// Fills the routing table from the bootstrap nodes; returns how many peers answered a lookup of this one's own id.
async fn join(peer: &Peer, options: &Options) -> Result<usize, String> {
    if options.bootstrap.is_empty() {
        return Ok(0);
    }
    for _ in 0..JOIN_TRIES {
        peer.client.bootstrap(&options.bootstrap).await?;
        let answered = peer.client.closest(peer.id.to_bytes()).await?.len();
        if answered > 0 {
            return Ok(answered);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(0)
}

/// Waits until every listener has told its address.
async fn listening(peer: &Peer, expected: usize) -> Vec<String> {
    loop {
        let addrs = peer.addrs().await;
        if addrs.len() >= expected {
            return addrs;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let key = options.keypair();
    let id = key.public().to_peer_id();
    let store = Arc::new(store::Blockstore::default());
    let mut swarm = behaviour::build_swarm(key, &options)?;
    for addr in &options.listen {
        swarm.listen_on(addr.clone())?;
    }
    let (sender, receiver) = tokio::sync::mpsc::channel(COMMANDS_QUEUED);
    tokio::spawn(network::Network::new(swarm, store.clone(), &options).run(receiver));
    let peer = Peer { id, client: Client::new(sender), store, inflight: options.inflight.max(1) };

    let addrs = tokio::time::timeout(JOIN_TIMEOUT, listening(&peer, options.listen.len())).await?;
    let joined = tokio::time::timeout(JOIN_TIMEOUT, join(&peer, &options)).await.unwrap_or(Ok(0))?;
    print_line(&json!({ "event": "ready", "peer_id": id.to_string(), "addrs": addrs, "bootstrapped": joined }));

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (id, words) = match words.split_first() {
            Some((first, rest)) if first.parse::<u64>().is_ok() => (json!(first.parse::<u64>()?), rest.to_vec()),
            Some(_) => (Value::Null, words),
            None => continue,
        };
        if words == ["quit"] {
            print_reply(id, Ok(json!({})));
            break;
        }
        let (peer, words) = (peer.clone(), words.into_iter().map(String::from).collect::<Vec<_>>());
        tokio::spawn(async move {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            print_reply(id, peer.run(&words).await);
        });
    }
    Ok(())
}
