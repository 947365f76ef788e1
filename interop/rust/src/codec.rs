//! `/chiral/blocks/1.0.0` on the wire: one stream, one block; bincode 1.3 bodies without a length prefix.

use std::io;

use bytes::Bytes;
use cid::Cid;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{request_response, StreamProtocol};
use serde::{Deserialize, Serialize};

use crate::content::CHUNK_BYTES;

pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/chiral/blocks/1.0.0");
const REQUEST_CAP_BYTES: usize = 1024;
/// A FileInfo may have 32 MiB; the rest is the response's own framing.
const RESPONSE_CAP_BYTES: usize = 32 * 1024 * 1024 + 9;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRequest {
    pub cid: Cid,
}

/// `None`: the responder does not have the block. `Bytes` writes what `Vec<u8>` writes: u64-LE length, then the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockResponse {
    pub data: Option<Bytes>,
}

#[derive(Debug, Clone, Default)]
pub struct BlockCodec;

/// Reads to the end of the stream; more than `cap` bytes are an error, and so is a reset.
async fn read_body<T: AsyncRead + Unpin + Send>(io: &mut T, expected: usize, cap: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(expected);
    io.take(cap as u64 + 1).read_to_end(&mut body).await?;
    if body.len() > cap {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {cap} bytes")));
    }
    Ok(body)
}

fn decode<'a, V: Deserialize<'a>>(body: &'a [u8]) -> io::Result<V> {
    bincode::deserialize(body).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

fn encode<V: Serialize>(value: &V) -> io::Result<Vec<u8>> {
    bincode::serialize(value).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

// The writers leave closing to request-response: it half-closes the stream after each of them returns.
#[cfg_attr(feature = "boxed-codec", async_trait::async_trait)]
impl request_response::Codec for BlockCodec {
    type Protocol = StreamProtocol;
    type Request = BlockRequest;
    type Response = BlockResponse;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<BlockRequest>
    where
        T: AsyncRead + Unpin + Send,
    {
        decode(&read_body(io, 64, REQUEST_CAP_BYTES).await?)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<BlockResponse>
    where
        T: AsyncRead + Unpin + Send,
    {
        decode(&read_body(io, CHUNK_BYTES + 64, RESPONSE_CAP_BYTES).await?)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: BlockRequest) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&encode(&request)?).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: BlockResponse) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&encode(&response)?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../vectors/rust-blocks-1.0.0.json")).unwrap()
    }

    fn bytes_of(value: &Value) -> Vec<u8> {
        hex::decode(value.as_str().unwrap()).unwrap()
    }

    #[test]
    fn requests_are_the_vectors() {
        let vectors = vectors();
        let with_bytes =
            vectors["cids"].as_array().unwrap().iter().filter(|v| v["bincode_block_request_hex"].is_string());
        for vector in with_bytes {
            let cid: Cid = vector["cid"].as_str().unwrap().parse().unwrap();
            assert_eq!(encode(&BlockRequest { cid }).unwrap(), bytes_of(&vector["bincode_block_request_hex"]));
        }
    }

    #[test]
    fn responses_are_the_vectors() {
        let responses = &vectors()["responses"];
        let cases: [(&str, Option<&'static [u8]>); 3] =
            [("none", None), ("some_empty", Some(b"")), ("some_hello_world", Some(b"hello world"))];
        for (name, data) in cases {
            let response = BlockResponse { data: data.map(Bytes::from_static) };
            assert_eq!(encode(&response).unwrap(), bytes_of(&responses[name]), "{name}");
            assert_eq!(decode::<BlockResponse>(&bytes_of(&responses[name])).unwrap(), response, "{name}");
        }
    }

    #[test]
    fn the_decoder_takes_and_refuses_what_the_vectors_do() {
        for case in vectors()["decoder"].as_array().unwrap() {
            let body = bytes_of(&case["hex"]);
            let request = decode::<BlockRequest>(&body);
            let response = decode::<BlockResponse>(&body);
            assert_eq!(request.is_ok(), case["as_request"].as_str().unwrap().starts_with("ok"), "{}", case["name"]);
            assert_eq!(response.is_ok(), case["as_response"].as_str().unwrap().starts_with("ok"), "{}", case["name"]);
        }
    }
}
