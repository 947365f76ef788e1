//! Content addressing of seed 001: 256 KiB chunks, their CIDs, the flat `FileInfo` and its root. No I/O but reading the file.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use cid::Cid;
use multihash_codetable::{Code, MultihashDigest};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub const CHUNK_BYTES: usize = 256 * 1024;
const RAW_CODEC: u64 = 0x55;

/// What a file is made of; served under the root CID as compact JSON, fields in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    pub root_cid: Cid,
    pub name: String,
    pub size: u64,
    pub chunk_cids: Vec<Cid>,
    pub created_at: u64,
}

/// CIDv1, raw codec, SHA-256 of `data`.
pub fn cid_of(data: &[u8]) -> Cid {
    Cid::new_v1(RAW_CODEC, Code::Sha2_256.digest(data))
}

/// The flat root: CIDv1 raw of sha256(sha256(all chunk CIDs' bytes, one after another)).
pub fn root_of(chunk_cids: &[Cid]) -> Cid {
    let mut hasher = Sha256::new();
    for cid in chunk_cids {
        hasher.update(cid.to_bytes());
    }
    cid_of(&hasher.finalize())
}

impl FileInfo {
    pub fn new(name: String, size: u64, chunk_cids: Vec<Cid>, created_at: u64) -> Self {
        let root_cid = root_of(&chunk_cids);
        Self { root_cid, name, size, chunk_cids, created_at }
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a FileInfo always serialises")
    }

    /// A reply to a request for `root`, believed only if the chunk list gives that root.
    pub fn from_reply(root: &Cid, json: &[u8]) -> Result<Self, String> {
        let info: Self = serde_json::from_slice(json).map_err(|e| format!("not a FileInfo: {e}"))?;
        if info.root_cid != *root || root_of(&info.chunk_cids) != *root {
            return Err("the FileInfo's chunks do not give the root that was asked for".into());
        }
        Ok(info)
    }
}

/// Reads a file chunk by chunk; `keep` takes each chunk with its CID. Returns the file's FileInfo.
pub fn chunk_file(path: &Path, mut keep: impl FnMut(Cid, Bytes)) -> std::io::Result<FileInfo> {
    let mut file = std::fs::File::open(path)?;
    let mut cids = Vec::new();
    let mut size = 0;
    loop {
        // Not one read call a chunk: a short read would cut the file in other places than its CIDs say.
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        size += chunk.len() as u64;
        let cid = cid_of(&chunk);
        keep(cid, chunk.into());
        cids.push(cid);
    }
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("unknown").to_string();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(FileInfo::new(name, size, cids, now.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../vectors/rust-blocks-1.0.0.json")).unwrap()
    }

    #[test]
    fn the_vector_file_has_its_root_and_json() {
        let file = &vectors()["file"];
        let data: Vec<u8> = (0..file["size"].as_u64().unwrap()).map(|i| ((i * 31 + 7) % 251) as u8).collect();
        let path = std::env::temp_dir().join(format!("chiral-vector-{}.bin", std::process::id()));
        std::fs::write(&path, &data).unwrap();
        let mut info = chunk_file(&path, |cid, chunk| assert_eq!(cid_of(&chunk), cid)).unwrap();
        std::fs::remove_file(&path).unwrap();
        info.name = file["name"].as_str().unwrap().into();
        info.created_at = file["created_at"].as_u64().unwrap();
        assert_eq!(info.root_cid.to_string(), file["root_cid"]);
        assert_eq!(String::from_utf8(info.to_json()).unwrap(), file["fileinfo_json"].as_str().unwrap());
    }

    #[test]
    fn the_empty_file_has_a_root() {
        assert_eq!(root_of(&[]).to_string(), vectors()["empty_file"]["root_cid"]);
    }

    #[test]
    fn a_fileinfo_of_another_root_is_refused() {
        let info = FileInfo::new("a".into(), 1, vec![cid_of(b"a")], 0);
        assert_eq!(FileInfo::from_reply(&info.root_cid, &info.to_json()), Ok(info.clone()));
        assert!(FileInfo::from_reply(&cid_of(b"b"), &info.to_json()).is_err());
        let lie = FileInfo { chunk_cids: vec![cid_of(b"b")], ..info.clone() };
        assert!(FileInfo::from_reply(&info.root_cid, &lie.to_json()).is_err());
    }
}
