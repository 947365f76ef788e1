// The serving side of the block protocol, as it should be and, for tests of others, as it should not.

package main

import (
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

const (
	requestTimeout = 30 * time.Second
	stallTime      = 10 * time.Minute // longer than anybody's patience
)

// serveModes are the ways of answering that raw-serve can set; all but "ok" are misbehaviour.
var serveModes = []string{"ok", "truncate", "reset", "stall", "lie", "huge", "garbage"}

// serving says how to answer; chunksOnly keeps to "ok" for FileInfos.
type serving struct {
	mode       string
	chunksOnly bool
}

type server struct {
	store *blockstore
	how   atomic.Value // serving
}

func newServer(store *blockstore) *server {
	s := &server{store: store}
	s.how.Store(serving{mode: "ok"})
	return s
}

func (s *server) serve(how serving) error {
	if !slices.Contains(serveModes, how.mode) {
		return fmt.Errorf("mode %s: one of %v", how.mode, serveModes)
	}
	s.how.Store(how)
	return nil
}

// handle answers one request: read to the end of the stream, answer, close.
func (s *server) handle(stream network.Stream) {
	_ = stream.SetDeadline(time.Now().Add(requestTimeout))
	body, err := io.ReadAll(io.LimitReader(stream, requestCapBytes+1))
	if err != nil || len(body) > requestCapBytes {
		_ = stream.Reset()
		return
	}
	id, err := decodeRequest(body)
	if err != nil {
		_ = stream.Reset()
		return
	}
	block, ok := s.store.answer(id)
	how := s.how.Load().(serving)
	if how.mode != "ok" && !(how.chunksOnly && s.store.isFile(id)) {
		misbehave(stream, how.mode, block)
		return
	}
	answer := encodeNone()
	if ok {
		answer = encodeSome(block)
	}
	if _, err := stream.Write(answer); err != nil {
		_ = stream.Reset()
		return
	}
	_ = stream.Close()
}

// misbehave answers wrongly on purpose; see interop/README.md for what each mode does.
func misbehave(stream network.Stream, mode string, block []byte) {
	answer := encodeSome(block)
	switch mode {
	case "truncate":
		_, _ = stream.Write(answer[:len(answer)/2])
		_ = stream.Close()
	case "reset":
		_, _ = stream.Write(answer[:len(answer)/2])
		_ = stream.Reset()
	case "stall":
		time.Sleep(stallTime)
		_ = stream.Reset()
	case "lie":
		for i := someHeaderBytes; i < len(answer); i++ {
			answer[i] ^= 0xff
		}
		_, _ = stream.Write(answer)
		_ = stream.Close()
	case "huge":
		_, _ = stream.Write(encodeSome(make([]byte, 33<<20)))
		_ = stream.Close()
	case "garbage":
		_, _ = stream.Write([]byte{2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		_ = stream.Close()
	}
}
