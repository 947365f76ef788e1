// The bodies of /chiral/blocks/1.0.0: bincode 1.3, without a length prefix; trailing bytes are tolerated when read.

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
)

const (
	blocksProtocol   = "/chiral/blocks/1.0.0"
	requestCapBytes  = 1024
	responseCapBytes = 32 << 20 // a FileInfo; a block has 2 MiB at most
	someHeaderBytes  = 9        // tag, u64 length
)

var errNotFound = errors.New("the peer does not have the block")

// encodeRequest writes {cid}: u64-LE length, CID bytes.
func encodeRequest(id cid.Cid) []byte {
	raw := id.Bytes()
	return append(binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(raw)), uint64(len(raw))), raw...)
}

func decodeRequest(body []byte) (cid.Cid, error) {
	if len(body) < 8 {
		return cid.Undef, io.ErrUnexpectedEOF
	}
	length := binary.LittleEndian.Uint64(body)
	if length > uint64(len(body)-8) {
		return cid.Undef, fmt.Errorf("a CID of %d bytes in %d: %w", length, len(body)-8, io.ErrUnexpectedEOF)
	}
	// Parsed, not cast: the Rust decoder takes a CID with bytes after it inside the length, and ignores them.
	_, id, err := cid.CidFromBytes(body[8 : 8+length])
	return id, err
}

// encodeNone is the answer for a block that is not here.
func encodeNone() []byte {
	return []byte{0}
}

// encodeSome is one buffer, so that it goes out in one write: header and block as two writes cost a frame more.
func encodeSome(block []byte) []byte {
	out := make([]byte, 0, someHeaderBytes+len(block))
	out = binary.LittleEndian.AppendUint64(append(out, 1), uint64(len(block)))
	return append(out, block...)
}

// readResponse reads one response to the end of the stream. A stream that ends short is io.ErrUnexpectedEOF.
func readResponse(r io.Reader) ([]byte, error) {
	var header [someHeaderBytes]byte
	if _, err := io.ReadFull(r, header[:1]); err != nil {
		return nil, unexpected(err)
	}
	switch header[0] {
	case 0:
		return nil, drain(r, errNotFound)
	case 1:
	default:
		return nil, fmt.Errorf("tag %d is no Option", header[0])
	}
	if _, err := io.ReadFull(r, header[1:]); err != nil {
		return nil, unexpected(err)
	}
	length := binary.LittleEndian.Uint64(header[1:])
	if length > responseCapBytes {
		return nil, fmt.Errorf("an answer of %d bytes, over the cap of %d", length, responseCapBytes)
	}
	block := make([]byte, length)
	if _, err := io.ReadFull(r, block); err != nil {
		return nil, unexpected(err)
	}
	return block, drain(r, nil)
}

// drain reads trailing bytes up to the end of the stream, so that a reset after the value is still an error.
func drain(r io.Reader, outcome error) error {
	n, err := io.CopyN(io.Discard, r, responseCapBytes)
	if err == nil {
		return fmt.Errorf("more than %d bytes after the answer", n)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return outcome
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
