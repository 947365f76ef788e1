//! The commands of stdin: `[ID] WORD ARGUMENT...`, words parted by white space. The contract stands in interop/README.md.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cid::Cid;
use futures::StreamExt;
use libp2p::PeerId;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use crate::behaviour::AGENT;
use crate::bench;
use crate::client::{Client, FetchError};
use crate::content::{chunk_file, cid_of, FileInfo};
use crate::download::{Download, Downloaded};
use crate::store::Blockstore;

const GET_TIMEOUT_S: f64 = 120.0;
/// Announcements under way at once; a Kademlia handler of libp2p takes 32 streams.
const ANNOUNCING: usize = 16;

pub type Outcome = Result<Value, String>;

#[derive(Clone)]
pub struct Peer {
    pub id: PeerId,
    pub client: Client,
    pub store: Arc<Blockstore>,
    pub inflight: usize,
}

fn parse<T: std::str::FromStr>(what: &str, word: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    word.parse().map_err(|e| format!("{what} {word}: {e}"))
}

/// `0x` and hex digits, else a CID, whose whole bytes are the key.
fn parse_key(word: &str) -> Result<Vec<u8>, String> {
    let Some(hex) = word.strip_prefix("0x") else {
        return Ok(parse::<Cid>("CID", word)?.to_bytes());
    };
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()),
        _ => Err(format!("key {word}: not pairs of hex digits")),
    }
}

impl Peer {
    /// Runs one command; `quit` is not among them.
    pub async fn run(&self, words: &[&str]) -> Outcome {
        match words {
            ["id"] => Ok(json!({ "peer_id": self.id.to_string(), "addrs": self.addrs().await, "agent": AGENT })),
            ["peers"] => Ok(json!({ "peers": names(&self.client.peers().await) })),
            ["connect", addr] => {
                let peer = self.client.connect(parse("address", addr)?).await?;
                Ok(json!({ "peer_id": peer.to_string() }))
            }
            ["add", path] => self.add(path, "all").await,
            ["add", path, announce] => self.add(path, announce).await,
            ["provide", cid] => {
                self.client.provide(parse::<Cid>("CID", cid)?.to_bytes()).await?;
                Ok(json!({}))
            }
            ["providers", cid] => self.providers(parse("CID", cid)?).await,
            ["closest", key] => Ok(json!({ "peers": names(&self.client.closest(parse_key(key)?).await?) })),
            ["forget"] => {
                self.store.forget();
                Ok(json!({}))
            }
            ["raw-serve", ..] => Err("this peer serves blocks as libp2p does and in no other way".into()),
            _ => self.run_transfer(words).await,
        }
    }

    async fn run_transfer(&self, words: &[&str]) -> Outcome {
        let client = &self.client;
        match words {
            ["get", cid, out] => self.get(cid, out, GET_TIMEOUT_S).await,
            ["get", cid, out, timeout] => self.get(cid, out, parse("time-out", timeout)?).await,
            ["get-from", peer, cid, out] => {
                let download = Download::from_peer(client.clone(), self.store.clone(), parse("peer id", peer)?);
                self.download(download, cid, out, GET_TIMEOUT_S).await
            }
            ["fetch-block", peer, cid] => self.fetch_block(parse("peer id", peer)?, parse("CID", cid)?).await,
            ["bench-blocks", peer, root, inflight, rest @ ..] => {
                let (peer, root, inflight) = (parse("peer id", peer)?, parse("CID", root)?, parse("number", inflight)?);
                let (bytes, seconds) = bench::bench_blocks(client, peer, root, inflight, *rest == ["verify"]).await?;
                Ok(json!({ "bytes": bytes, "seconds": seconds }))
            }
            ["latency", peer, cid, count] => {
                let (peer, cid, count) = (parse("peer id", peer)?, parse("CID", cid)?, parse("number", count)?);
                Ok(json!({ "median_s": bench::latency(client, peer, cid, count).await? }))
            }
            _ => Err(format!("no such command, or not its arguments: {}", words.join(" "))),
        }
    }

    pub async fn addrs(&self) -> Vec<String> {
        self.client.addresses().await.iter().map(|addr| format!("{addr}/p2p/{}", self.id)).collect()
    }

    /// Reads, hashes and stores a file, then announces the root and (`all`) every chunk, as seed 001 does.
    async fn add(&self, path: &str, announce: &str) -> Outcome {
        let started = Instant::now();
        let (path, store) = (PathBuf::from(path), self.store.clone());
        let shown = path.display().to_string();
        let info = tokio::task::spawn_blocking(move || chunk_file(&path, |cid, chunk| store.put(cid, chunk)))
            .await
            .map_err(|e| e.to_string())?
            .map_err(|e| format!("{shown}: {e}"))?;
        self.store.put_file_info(&info);
        let seconds = started.elapsed().as_secs_f64();
        let announced = self.announce(&info, announce).await?;
        Ok(json!({
            "cid": info.root_cid.to_string(), "size": info.size, "chunks": info.chunk_cids.len(), "seconds": seconds,
            "announced": announced, "announce_seconds": started.elapsed().as_secs_f64() - seconds,
        }))
    }

    /// The root first: the record store is full after 1,024 keys, and a file without its root cannot be found.
    async fn announce(&self, info: &FileInfo, which: &str) -> Result<usize, String> {
        let chunks: &[Cid] = match which {
            "all" => &info.chunk_cids,
            "root" => &[],
            "none" => return Ok(0),
            _ => return Err(format!("announce {which}: all, root or none")),
        };
        let keys: Vec<_> = std::iter::once(&info.root_cid).chain(chunks).map(Cid::to_bytes).collect();
        let announcing = futures::stream::iter(keys).map(|key| self.client.provide(key)).buffer_unordered(ANNOUNCING);
        Ok(announcing.filter(|result| std::future::ready(result.is_ok())).count().await)
    }

    async fn providers(&self, cid: Cid) -> Outcome {
        let mut found = self.client.providers(&cid).await;
        let mut peers = Vec::new();
        while let Some(peer) = found.recv().await {
            if !peers.contains(&peer) {
                peers.push(peer);
            }
        }
        Ok(json!({ "providers": names(&peers) }))
    }

    async fn get(&self, cid: &str, out: &str, timeout_s: f64) -> Outcome {
        self.download(Download::through_dht(self.client.clone(), self.store.clone()), cid, out, timeout_s).await
    }

    async fn download(&self, download: Download, cid: &str, out: &str, timeout_s: f64) -> Outcome {
        let run = download.run(parse("CID", cid)?, out.as_ref(), self.inflight);
        let done = tokio::time::timeout(Duration::from_secs_f64(timeout_s), run).await;
        let Downloaded { sha256, size, seconds, providers } =
            done.map_err(|_| format!("not done within {timeout_s} s"))??;
        Ok(json!({ "sha256": sha256, "size": size, "seconds": seconds, "providers": names(&providers) }))
    }

    async fn fetch_block(&self, peer: PeerId, cid: Cid) -> Outcome {
        match self.client.fetch_block(peer, cid).await {
            Ok(block) => Ok(json!({
                "found": true, "size": block.len(), "valid": cid_of(&block) == cid,
                "sha256": Sha256::digest(&block).iter().map(|b| format!("{b:02x}")).collect::<String>(),
            })),
            Err(FetchError::NotFound) => Ok(json!({ "found": false })),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn names(peers: &[PeerId]) -> Vec<String> {
    peers.iter().map(PeerId::to_string).collect()
}
