//! Blocks and FileInfos in memory: what this peer serves. A root CID answers with its FileInfo's JSON.

use std::collections::HashMap;
use std::sync::RwLock;

use bytes::Bytes;
use cid::Cid;

use crate::content::FileInfo;

#[derive(Default)]
pub struct Blockstore {
    blocks: RwLock<HashMap<Cid, Bytes>>,
    files: RwLock<HashMap<Cid, Bytes>>,
}

impl Blockstore {
    pub fn put(&self, cid: Cid, data: Bytes) {
        self.blocks.write().expect("no writer panics").insert(cid, data);
    }

    pub fn get(&self, cid: &Cid) -> Option<Bytes> {
        self.blocks.read().expect("no writer panics").get(cid).cloned()
    }

    pub fn put_file_info(&self, info: &FileInfo) {
        self.files.write().expect("no writer panics").insert(info.root_cid, info.to_json().into());
    }

    /// What a request for `cid` is answered with.
    pub fn answer(&self, cid: &Cid) -> Option<Bytes> {
        self.get(cid).or_else(|| self.files.read().expect("no writer panics").get(cid).cloned())
    }

    /// Drops everything, so that a benchmark can fetch the same file again.
    pub fn forget(&self) {
        self.blocks.write().expect("no writer panics").clear();
        self.files.write().expect("no writer panics").clear();
    }
}
