// The commands that concern one peer and its blocks.

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/libp2p/go-libp2p/core/peer"
)

func (c commander) fetchBlock(ctx context.Context, args []string) (reply, error) {
	p, id, err := peerAndCid(args)
	if err != nil {
		return nil, err
	}
	block, err := c.node.fetchBlock(ctx, p, id)
	if errors.Is(err, errNotFound) {
		return reply{"found": false}, nil
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(block)
	return reply{
		"found": true, "size": len(block), "valid": cidOf(block) == id, "sha256": hex.EncodeToString(sum[:]),
	}, nil
}

func (c commander) benchBlocks(ctx context.Context, args []string) (reply, error) {
	p, root, err := peerAndCid(args)
	if err != nil {
		return nil, err
	}
	inflight, err := strconv.Atoi(args[2])
	if err != nil {
		return nil, err
	}
	verify := len(args) > 3 && args[3] == "verify"
	bytes, seconds, err := c.node.benchBlocks(ctx, p, root, inflight, verify)
	return reply{"bytes": bytes, "seconds": seconds}, err
}

func (c commander) latency(ctx context.Context, args []string) (reply, error) {
	p, id, err := peerAndCid(args)
	if err != nil {
		return nil, err
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return nil, err
	}
	median, err := c.node.latency(ctx, p, id, count)
	return reply{"median_s": median}, err
}

func (c commander) rawServe(_ context.Context, args []string) (reply, error) {
	how := serving{mode: args[0], chunksOnly: len(args) > 1 && args[1] == "chunks"}
	return reply{"mode": how.mode}, c.node.server.serve(how)
}

func (c commander) forget(context.Context, []string) (reply, error) {
	c.node.store.forget()
	return reply{}, nil
}

func names(peers []peer.ID) []string {
	out := make([]string, len(peers))
	for i, p := range peers {
		out[i] = p.String()
	}
	return out
}
