//! The block protocol alone, for figures: no DHT, no disk, answers not verified unless asked.

use std::time::Instant;

use bytes::Bytes;
use cid::Cid;
use futures::{StreamExt, TryStreamExt};
use libp2p::PeerId;

use crate::client::Client;
use crate::content::{cid_of, FileInfo};

/// Fetches every chunk of `root` from `peer`; returns bytes moved and seconds from first request to last answer.
pub async fn bench_blocks(
    client: &Client,
    peer: PeerId,
    root: Cid,
    inflight: usize,
    verify: bool,
) -> Result<(u64, f64), String> {
    let json = client.fetch_block(peer, root).await.map_err(|e| e.to_string())?;
    let info = FileInfo::from_reply(&root, &json)?;
    let started = Instant::now();
    let bytes = futures::stream::iter(info.chunk_cids)
        .map(|cid| tokio::spawn(fetch(client.clone(), peer, cid, verify)))
        .buffer_unordered(inflight)
        .map(|joined| joined.map_err(|e| e.to_string())?)
        .try_fold(0, |sum, block: Bytes| async move { Ok(sum + block.len() as u64) })
        .await?;
    Ok((bytes, started.elapsed().as_secs_f64()))
}

async fn fetch(client: Client, peer: PeerId, cid: Cid, verify: bool) -> Result<Bytes, String> {
    let block = client.fetch_block(peer, cid).await.map_err(|e| e.to_string())?;
    if verify && cid_of(&block) != cid {
        return Err("the bytes are not what the CID names".into());
    }
    Ok(block)
}

/// Median seconds of `count` requests for one block, one after another.
pub async fn latency(client: &Client, peer: PeerId, cid: Cid, count: usize) -> Result<f64, String> {
    let mut seconds = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        client.fetch_block(peer, cid).await.map_err(|e| e.to_string())?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    seconds.get(count / 2).copied().ok_or_else(|| "at least one request is needed".into())
}
