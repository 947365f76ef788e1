//! Fetching a whole file: FileInfo from the first provider that gives it, chunks with many requests in flight,
//! every chunk verified, written in order.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cid::Cid;
use futures::{StreamExt, TryStreamExt};
use libp2p::PeerId;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::client::Client;
use crate::content::{cid_of, FileInfo};
use crate::store::Blockstore;

/// Lookups of the root before it counts as not found: a closing connection can cut a lookup short.
const LOOKUPS: u32 = 4;
const LOOKUP_PAUSE: Duration = Duration::from_millis(150);

/// How a download went; `seconds` stops when the file is in its place, before it is read again for `sha256`.
pub struct Downloaded {
    pub sha256: String,
    pub size: u64,
    pub seconds: f64,
    pub providers: Vec<PeerId>,
}

/// Where a download asks, and what it has found out so far.
pub struct Download {
    client: Client,
    store: Arc<Blockstore>,
    /// Peers that have the root, in the order found; grows while the download runs.
    providers: Mutex<Vec<PeerId>>,
    /// Off: only the given providers are asked, the DHT never.
    use_dht: bool,
}

impl Download {
    pub fn through_dht(client: Client, store: Arc<Blockstore>) -> Self {
        Self { client, store, providers: Mutex::default(), use_dht: true }
    }

    pub fn from_peer(client: Client, store: Arc<Blockstore>, peer: PeerId) -> Self {
        Self { client, store, providers: Mutex::new(vec![peer]), use_dht: false }
    }

    pub async fn run(self, root: Cid, out: &Path, inflight: usize) -> Result<Downloaded, String> {
        let this = Arc::new(self);
        let started = Instant::now();
        let info = this.clone().file_info(root).await?;
        let part = out.with_extension("part");
        let size = this.write_chunks(&info, &part, inflight).await?;
        if size != info.size {
            return Err(format!("the FileInfo says {} bytes, {size} came", info.size));
        }
        std::fs::rename(&part, out).map_err(|e| format!("{}: {e}", out.display()))?;
        let seconds = started.elapsed().as_secs_f64();
        this.store.put_file_info(&info);
        let sha256 = sha256_of(out).map_err(|e| format!("{}: {e}", out.display()))?;
        Ok(Downloaded { sha256, size, seconds, providers: this.known() })
    }

    fn known(&self) -> Vec<PeerId> {
        self.providers.lock().expect("no holder panics").clone()
    }

    async fn file_info(self: Arc<Self>, root: Cid) -> Result<FileInfo, String> {
        if let Some(json) = self.store.answer(&root) {
            return FileInfo::from_reply(&root, &json);
        }
        let mut last = "no providers found".to_string();
        for peer in self.known() {
            match self.file_info_from(peer, root).await {
                Ok(info) => return Ok(info),
                Err(error) => last = format!("{peer}: {error}"),
            }
        }
        let lookups = if self.use_dht { LOOKUPS } else { 0 };
        for lookup in 0..lookups {
            if lookup > 0 {
                tokio::time::sleep(LOOKUP_PAUSE).await;
            }
            match self.clone().look_up(root).await {
                Ok(info) => return Ok(info),
                Err(Some(error)) => last = error,
                Err(None) => {}
            }
        }
        Err(last)
    }

    /// One lookup of the root; the error is the last provider's, or none where nobody new was found.
    async fn look_up(self: Arc<Self>, root: Cid) -> Result<FileInfo, Option<String>> {
        let mut last = None;
        let mut found = self.client.providers(&root).await;
        while let Some(peer) = found.recv().await {
            self.add_provider(peer);
            match self.file_info_from(peer, root).await {
                Ok(info) => {
                    tokio::spawn(self.clone().collect(found));
                    return Ok(info);
                }
                Err(error) => last = Some(format!("{peer}: {error}")),
            }
        }
        Err(last)
    }

    async fn file_info_from(&self, peer: PeerId, root: Cid) -> Result<FileInfo, String> {
        let json = self.client.fetch_block(peer, root).await.map_err(|e| e.to_string())?;
        FileInfo::from_reply(&root, &json)
    }

    /// Takes in providers that the lookup of the root still finds.
    async fn collect(self: Arc<Self>, mut found: mpsc::UnboundedReceiver<PeerId>) {
        while let Some(peer) = found.recv().await {
            self.add_provider(peer);
        }
    }

    fn add_provider(&self, peer: PeerId) {
        let mut providers = self.providers.lock().expect("no holder panics");
        if !providers.contains(&peer) {
            providers.push(peer);
        }
    }

    async fn write_chunks(self: &Arc<Self>, info: &FileInfo, part: &Path, inflight: usize) -> Result<u64, String> {
        let mut file = std::fs::File::create(part).map_err(|e| format!("{}: {e}", part.display()))?;
        let mut size = 0;
        // A task each, so that hashing spreads over the cores; `buffered` keeps the order of the file.
        let mut chunks = futures::stream::iter(info.chunk_cids.clone())
            .map(|cid| tokio::spawn(self.clone().chunk(cid)))
            .buffered(inflight)
            .map_err(|e| e.to_string());
        while let Some(chunk) = chunks.try_next().await? {
            let chunk = chunk?;
            tokio::task::block_in_place(|| file.write_all(&chunk)).map_err(|e| format!("{}: {e}", part.display()))?;
            size += chunk.len() as u64;
        }
        Ok(size)
    }

    /// One chunk: from the store, else from the root's providers, and only then from whom the DHT names for it.
    async fn chunk(self: Arc<Self>, cid: Cid) -> Result<Bytes, String> {
        if let Some(chunk) = self.store.get(&cid) {
            return Ok(chunk);
        }
        let mut last = "no providers found".to_string();
        let mut asked = self.known();
        for &peer in &asked {
            match self.chunk_from(peer, cid).await {
                Ok(chunk) => return Ok(chunk),
                Err(error) => last = error,
            }
        }
        if self.use_dht {
            let mut found = self.client.providers(&cid).await;
            while let Some(peer) = found.recv().await {
                if asked.contains(&peer) {
                    continue;
                }
                asked.push(peer);
                match self.chunk_from(peer, cid).await {
                    Ok(chunk) => return Ok(chunk),
                    Err(error) => last = error,
                }
            }
        }
        Err(format!("chunk {cid}: {last}"))
    }

    async fn chunk_from(&self, peer: PeerId, cid: Cid) -> Result<Bytes, String> {
        let chunk = self.client.fetch_block(peer, cid).await.map_err(|e| format!("{peer}: {e}"))?;
        if cid_of(&chunk) != cid {
            return Err(format!("{peer}: the bytes are not what the CID names"));
        }
        self.store.put(cid, chunk.clone());
        Ok(chunk)
    }
}

fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
