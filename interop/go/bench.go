// The block protocol alone, for figures: no DHT, no disk, answers not verified unless asked.

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
)

// benchBlocks fetches every chunk of root from p; seconds run from the first request to the last answer.
func (n *node) benchBlocks(ctx context.Context, p peer.ID, root cid.Cid, inflight int, verify bool) (bytes uint64, seconds float64, err error) {
	data, err := n.fetchBlock(ctx, p, root)
	if err != nil {
		return 0, 0, err
	}
	info, err := infoFromReply(root, data)
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	started := time.Now()
	queue := make(chan cid.Cid)
	sums := make(chan uint64, inflight)
	var workers sync.WaitGroup
	for range inflight {
		workers.Go(func() {
			var sum uint64
			for id := range queue {
				block, err := n.fetchBlock(ctx, p, id)
				if err == nil && verify && cidOf(block) != id {
					err = fmt.Errorf("%s: the bytes are not what the CID names", id)
				}
				if err != nil {
					cancel(err)
				}
				sum += uint64(len(block))
			}
			sums <- sum
		})
	}
	for _, id := range info.Chunks {
		queue <- id
	}
	close(queue)
	workers.Wait()
	seconds = time.Since(started).Seconds()
	close(sums)
	for sum := range sums {
		bytes += sum
	}
	return bytes, seconds, context.Cause(ctx)
}

// latency is the median of count requests for one block, one after another.
func (n *node) latency(ctx context.Context, p peer.ID, id cid.Cid, count int) (float64, error) {
	if count < 1 {
		return 0, errors.New("at least one request is needed")
	}
	seconds := make([]float64, count)
	for i := range seconds {
		started := time.Now()
		if _, err := n.fetchBlock(ctx, p, id); err != nil {
			return 0, err
		}
		seconds[i] = time.Since(started).Seconds()
	}
	slices.Sort(seconds)
	return seconds[count/2], nil
}
