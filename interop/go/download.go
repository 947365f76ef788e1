// Fetching a whole file: FileInfo from the first provider that gives it, chunks with many requests in flight, every
// chunk verified, written in order.

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A closing connection can cut a lookup short, so one that finds nobody is made again.
const (
	lookups     = 4
	lookupPause = 150 * time.Millisecond
)

var errNoProviders = errors.New("no providers found")

// download is one file on its way. Its providers are asked for chunks before the DHT is asked for each chunk.
type download struct {
	node   *node
	useDHT bool

	lock      sync.Mutex
	providers []peer.ID // of the root, in the order found; grows while the download runs
}

// run fetches root into the file out; seconds stop when the file is in its place.
func (d *download) run(ctx context.Context, root cid.Cid, out string, inflight int) (size uint64, seconds float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	started := time.Now()
	info, err := d.fileInfo(ctx, root)
	if err != nil {
		return 0, 0, err
	}
	part := out + ".part"
	size, err = d.writeChunks(ctx, info.Chunks, part, inflight)
	if err == nil && size != info.Size {
		err = fmt.Errorf("the FileInfo says %d bytes, %d came", info.Size, size)
	}
	if err != nil {
		_ = os.Remove(part)
		return 0, 0, err
	}
	if err := os.Rename(part, out); err != nil {
		return 0, 0, err
	}
	seconds = time.Since(started).Seconds()
	d.node.store.putFile(info)
	return size, seconds, nil
}

func (d *download) known() []peer.ID {
	d.lock.Lock()
	defer d.lock.Unlock()
	return append([]peer.ID(nil), d.providers...)
}

func (d *download) addProvider(p peer.ID) {
	d.lock.Lock()
	defer d.lock.Unlock()
	for _, known := range d.providers {
		if known == p {
			return
		}
	}
	d.providers = append(d.providers, p)
}

func (d *download) fileInfo(ctx context.Context, root cid.Cid) (fileInfo, error) {
	if data, ok := d.node.store.answer(root); ok {
		return infoFromReply(root, data)
	}
	last := errNoProviders
	for _, p := range d.known() {
		info, err := d.fileInfoFrom(ctx, p, root)
		if err == nil {
			return info, nil
		}
		last = err
	}
	for lookup := 0; d.useDHT && lookup < lookups && ctx.Err() == nil; lookup++ {
		if lookup > 0 {
			time.Sleep(lookupPause)
		}
		info, err := d.lookUp(ctx, root)
		if err == nil {
			return info, nil
		}
		if !errors.Is(err, errNoProviders) {
			last = err
		}
	}
	return fileInfo{}, last
}

// lookUp asks the providers of one lookup; once one has answered, the rest of the lookup goes on in the background.
func (d *download) lookUp(ctx context.Context, root cid.Cid) (fileInfo, error) {
	last := errNoProviders
	found := d.node.providers(ctx, root)
	for provider := range found {
		d.addProvider(provider.ID)
		info, err := d.fileInfoFrom(ctx, provider.ID, root)
		if err == nil {
			go func() {
				for more := range found {
					d.addProvider(more.ID)
				}
			}()
			return info, nil
		}
		last = err
	}
	return fileInfo{}, last
}

func (d *download) fileInfoFrom(ctx context.Context, p peer.ID, root cid.Cid) (fileInfo, error) {
	data, err := d.node.fetchBlock(ctx, p, root)
	if err == nil {
		var info fileInfo
		if info, err = infoFromReply(root, data); err == nil {
			return info, nil
		}
	}
	return fileInfo{}, fmt.Errorf("%s: %w", p, err)
}

type chunkResult struct {
	data []byte
	err  error
}

// writeChunks keeps inflight requests going and writes the answers in the order of the file.
func (d *download) writeChunks(ctx context.Context, chunks []cid.Cid, part string, inflight int) (size uint64, err error) {
	file, err := os.Create(part)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	// The queue holds one slot less than there are requests: the one whose answer is waited for is out of it.
	queue := make(chan chan chunkResult, inflight-1)
	go func() {
		defer close(queue)
		for _, id := range chunks {
			slot := make(chan chunkResult, 1)
			select {
			case queue <- slot:
			case <-ctx.Done():
				return
			}
			go func() {
				data, err := d.chunk(ctx, id)
				slot <- chunkResult{data, err}
			}()
		}
	}()
	w := bufio.NewWriterSize(file, chunkBytes)
	for slot := range queue {
		result := <-slot
		if result.err != nil {
			return size, result.err
		}
		if _, err := w.Write(result.data); err != nil {
			return size, err
		}
		size += uint64(len(result.data))
	}
	return size, errors.Join(ctx.Err(), w.Flush())
}

// chunk comes from the store, else from the root's providers, and only then from whom the DHT names for it.
func (d *download) chunk(ctx context.Context, id cid.Cid) ([]byte, error) {
	if data, ok := d.node.store.get(id); ok {
		return data, nil
	}
	last := errNoProviders
	for _, p := range d.known() {
		data, err := d.chunkFrom(ctx, p, id)
		if err == nil {
			return data, nil
		}
		last = err
	}
	if d.useDHT {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for provider := range d.node.providers(ctx, id) {
			data, err := d.chunkFrom(ctx, provider.ID, id)
			if err == nil {
				return data, nil
			}
			last = err
		}
	}
	return nil, fmt.Errorf("chunk %s: %w", id, last)
}

func (d *download) chunkFrom(ctx context.Context, p peer.ID, id cid.Cid) ([]byte, error) {
	data, err := d.node.fetchBlock(ctx, p, id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	if cidOf(data) != id {
		return nil, fmt.Errorf("%s: the bytes are not what the CID names", p)
	}
	d.node.store.put(id, data)
	return data, nil
}
