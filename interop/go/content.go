// Content addressing of the block protocol: 256 KiB chunks, their CIDs, the flat FileInfo and its root.

package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/ipfs/go-cid"
	mh "github.com/multiformats/go-multihash"
)

const chunkBytes = 256 * 1024

// fileInfo says what a file is made of; it is served under the root CID as compact JSON.
type fileInfo struct {
	Root      cid.Cid
	Name      string
	Size      uint64
	Chunks    []cid.Cid
	CreatedAt uint64
}

// cidOf is the CIDv1, raw codec, SHA-256 of data.
func cidOf(data []byte) cid.Cid {
	digest := sha256.Sum256(data)
	hash, err := mh.Encode(digest[:], mh.SHA2_256)
	if err != nil {
		panic(err) // only an unknown hash code can fail
	}
	return cid.NewCidV1(cid.Raw, hash)
}

// rootOf is the flat root: CIDv1 raw of sha256(sha256(all chunk CIDs' bytes, one after another)).
func rootOf(chunks []cid.Cid) cid.Cid {
	hasher := sha256.New()
	for _, chunk := range chunks {
		hasher.Write(chunk.Bytes())
	}
	return cidOf(hasher.Sum(nil))
}

// chunkFile reads r to its end and gives each chunk with its CID to keep.
func chunkFile(r io.Reader, keep func(cid.Cid, []byte)) (chunks []cid.Cid, size uint64, err error) {
	for {
		chunk := make([]byte, chunkBytes)
		n, err := io.ReadFull(r, chunk)
		if n > 0 {
			chunk = chunk[:n:n]
			id := cidOf(chunk)
			keep(id, chunk)
			chunks = append(chunks, id)
			size += uint64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return chunks, size, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}

// toJSON writes what serde_json writes for the Rust struct: its fields in order, a CID as an array of byte numbers.
// encoding/json is no help: it escapes <, >, & and two line separators that serde_json leaves alone.
func (f fileInfo) toJSON() []byte {
	out := make([]byte, 0, 128+140*len(f.Chunks))
	out = append(out, `{"root_cid":`...)
	out = appendCid(out, f.Root)
	out = append(out, `,"name":`...)
	out = appendString(out, f.Name)
	out = append(out, `,"size":`...)
	out = strconv.AppendUint(out, f.Size, 10)
	out = append(out, `,"chunk_cids":[`...)
	for i, chunk := range f.Chunks {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendCid(out, chunk)
	}
	out = append(out, `],"created_at":`...)
	out = strconv.AppendUint(out, f.CreatedAt, 10)
	return append(out, '}')
}

func appendCid(out []byte, id cid.Cid) []byte {
	out = append(out, '[')
	for i, b := range id.Bytes() {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendUint(out, uint64(b), 10)
	}
	return append(out, ']')
}

func appendString(out []byte, text string) []byte {
	short := map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}
	out = append(out, '"')
	for i := 0; i < len(text); i++ {
		c := text[i]
		if letter, ok := short[c]; ok {
			out = append(out, '\\', letter)
		} else if c < 0x20 {
			out = fmt.Appendf(out, `\u%04x`, c)
		} else {
			out = append(out, c)
		}
	}
	return append(out, '"')
}

// infoFromReply parses the answer to a request for root, believed only if the chunk list gives that root.
func infoFromReply(root cid.Cid, data []byte) (fileInfo, error) {
	var wire struct {
		Root      []uint8Number   `json:"root_cid"`
		Name      string          `json:"name"`
		Size      uint64          `json:"size"`
		Chunks    [][]uint8Number `json:"chunk_cids"`
		CreatedAt uint64          `json:"created_at"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return fileInfo{}, fmt.Errorf("not a FileInfo: %w", err)
	}
	info := fileInfo{Name: wire.Name, Size: wire.Size, CreatedAt: wire.CreatedAt}
	claimed, err := cidFromNumbers(wire.Root)
	if err != nil {
		return fileInfo{}, err
	}
	for _, numbers := range wire.Chunks {
		chunk, err := cidFromNumbers(numbers)
		if err != nil {
			return fileInfo{}, err
		}
		info.Chunks = append(info.Chunks, chunk)
	}
	info.Root = rootOf(info.Chunks)
	if info.Root != root || claimed != root {
		return fileInfo{}, errors.New("the FileInfo's chunks do not give the root that was asked for")
	}
	return info, nil
}

// uint8Number keeps encoding/json from taking a list of bytes for base64 text.
type uint8Number uint8

func cidFromNumbers(numbers []uint8Number) (cid.Cid, error) {
	raw := make([]byte, len(numbers))
	for i, n := range numbers {
		raw[i] = byte(n)
	}
	return cid.Cast(raw)
}
