// The asking side of the block protocol: one stream, one block.

package main

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A closing connection fails a request that would succeed on a new one; Rust peers close theirs as soon as idle.
var retryPauses = []time.Duration{20 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond, 160 * time.Millisecond}

var errNoStream = errors.New("no stream to the peer")

// fetchBlock asks p for id, again while connections close under the request. The bytes are not verified.
func (n *node) fetchBlock(ctx context.Context, p peer.ID, id cid.Cid) ([]byte, error) {
	for _, pause := range retryPauses {
		block, err := n.fetchOnce(ctx, p, id)
		if !isConnectionError(err) {
			return block, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return n.fetchOnce(ctx, p, id)
}

func (n *node) fetchOnce(ctx context.Context, p peer.ID, id cid.Cid) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := n.host.NewStream(ctx, p, blocksProtocol)
	if err != nil {
		return nil, errors.Join(errNoStream, err)
	}
	deadline, _ := ctx.Deadline()
	_ = stream.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	block, err := exchange(stream, id)
	if err != nil && !errors.Is(err, errNotFound) {
		_ = stream.Reset()
		return nil, err
	}
	_ = stream.Close()
	return block, err
}

func exchange(stream network.Stream, id cid.Cid) ([]byte, error) {
	if _, err := stream.Write(encodeRequest(id)); err != nil {
		return nil, err
	}
	if err := stream.CloseWrite(); err != nil {
		return nil, err
	}
	return readResponse(stream)
}

// isConnectionError tells a connection that went away, or was never there, from a peer that answered wrongly or late.
func isConnectionError(err error) bool {
	var closed *network.ConnError
	return errors.Is(err, errNoStream) || errors.Is(err, net.ErrClosed) || errors.As(err, &closed)
}
