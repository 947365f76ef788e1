// The commands of stdin: `[ID] WORD ARGUMENT...`, words parted by white space. The contract stands in interop/README.md.

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	getTimeout = 120 * time.Second
	announcing = 16 // announcements under way at once
)

type reply map[string]any

type command struct {
	least, most int // arguments
	run         func(ctx context.Context, args []string) (reply, error)
}

type commander struct {
	node     *node
	inflight int
}

func (c commander) run(ctx context.Context, words []string) (reply, error) {
	table := map[string]command{
		"id":           {0, 0, c.id},
		"peers":        {0, 0, c.peers},
		"connect":      {1, 1, c.connect},
		"add":          {1, 2, c.add},
		"provide":      {1, 1, c.provide},
		"providers":    {1, 1, c.providers},
		"closest":      {1, 1, c.closest},
		"get":          {2, 3, c.get},
		"get-from":     {3, 3, c.getFrom},
		"fetch-block":  {2, 2, c.fetchBlock},
		"bench-blocks": {3, 4, c.benchBlocks},
		"latency":      {3, 3, c.latency},
		"raw-serve":    {1, 2, c.rawServe},
		"forget":       {0, 0, c.forget},
	}
	found, ok := table[words[0]]
	args := words[1:]
	if !ok || len(args) < found.least || len(args) > found.most {
		return nil, fmt.Errorf("no such command, or not its arguments: %s", strings.Join(words, " "))
	}
	return found.run(ctx, args)
}

func (c commander) id(context.Context, []string) (reply, error) {
	return reply{"peer_id": c.node.host.ID().String(), "addrs": c.node.addrs(), "agent": userAgent}, nil
}

func (c commander) peers(context.Context, []string) (reply, error) {
	return reply{"peers": names(c.node.host.Network().Peers())}, nil
}

func (c commander) connect(ctx context.Context, args []string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	id, err := c.node.connect(ctx, args[0])
	return reply{"peer_id": id.String()}, err
}

// add reads, hashes and stores a file, then announces the root and (all) every chunk.
func (c commander) add(ctx context.Context, args []string) (reply, error) {
	announce := "all"
	if len(args) > 1 {
		announce = args[1]
	}
	started := time.Now()
	file, err := os.Open(args[0])
	if err != nil {
		return nil, err
	}
	defer file.Close()
	chunks, size, err := chunkFile(file, c.node.store.put)
	if err != nil {
		return nil, err
	}
	info := fileInfo{rootOf(chunks), filepath.Base(args[0]), size, chunks, uint64(time.Now().Unix())}
	c.node.store.putFile(info)
	seconds := time.Since(started).Seconds()
	announced, err := c.announce(ctx, info, announce)
	return reply{
		"cid": info.Root.String(), "size": size, "chunks": len(chunks), "seconds": seconds,
		"announced": announced, "announce_seconds": time.Since(started).Seconds() - seconds,
	}, err
}

// announce counts what was announced; with nobody in the routing table that is nothing, and no error.
func (c commander) announce(ctx context.Context, info fileInfo, which string) (int, error) {
	switch which {
	case "none":
		return 0, nil
	case "root", "all":
	default:
		return 0, fmt.Errorf("announce %s: all, root or none", which)
	}
	announced := 0
	if c.node.provide(ctx, info.Root, true) == nil {
		announced++
	}
	if which == "root" {
		return announced, nil
	}
	slots, done := make(chan struct{}, announcing), make(chan bool, len(info.Chunks))
	for _, chunk := range info.Chunks {
		slots <- struct{}{}
		go func() {
			done <- c.node.provide(ctx, chunk, false) == nil
			<-slots
		}()
	}
	for range info.Chunks {
		if <-done {
			announced++
		}
	}
	return announced, nil
}

func (c commander) provide(ctx context.Context, args []string) (reply, error) {
	id, err := cid.Decode(args[0])
	if err != nil {
		return nil, err
	}
	return reply{}, c.node.provide(ctx, id, true)
}

func (c commander) providers(ctx context.Context, args []string) (reply, error) {
	id, err := cid.Decode(args[0])
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	found := []peer.ID{}
	for provider := range c.node.providers(ctx, id) {
		found = append(found, provider.ID)
	}
	return reply{"providers": names(found)}, nil
}

func (c commander) closest(ctx context.Context, args []string) (reply, error) {
	key, err := parseKey(args[0])
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	found, err := c.node.dht.GetClosestPeers(ctx, string(key))
	return reply{"peers": names(kb.SortClosestPeers(found, kb.ConvertKey(string(key))))}, err
}

// parseKey takes 0x and hex digits, else a CID, whose whole bytes are the key.
func parseKey(word string) ([]byte, error) {
	if digits, ok := strings.CutPrefix(word, "0x"); ok {
		return hex.DecodeString(digits)
	}
	id, err := cid.Decode(word)
	return id.Bytes(), err
}

func (c commander) get(ctx context.Context, args []string) (reply, error) {
	timeout := getTimeout
	if len(args) > 2 {
		seconds, err := strconv.ParseFloat(args[2], 64)
		if err != nil {
			return nil, err
		}
		timeout = time.Duration(seconds * float64(time.Second))
	}
	return c.download(ctx, &download{node: c.node, useDHT: true}, args[0], args[1], timeout)
}

func (c commander) getFrom(ctx context.Context, args []string) (reply, error) {
	p, err := peer.Decode(args[0])
	if err != nil {
		return nil, err
	}
	return c.download(ctx, &download{node: c.node, providers: []peer.ID{p}}, args[1], args[2], getTimeout)
}

func (c commander) download(ctx context.Context, d *download, root, out string, timeout time.Duration) (reply, error) {
	id, err := cid.Decode(root)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	size, seconds, err := d.run(ctx, id, out, c.inflight)
	if err != nil {
		return nil, err
	}
	sum, err := sha256Of(out)
	return reply{"sha256": sum, "size": size, "seconds": seconds, "providers": names(d.known())}, err
}

func sha256Of(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hasher := sha256.New()
	_, err = io.Copy(hasher, file)
	return hex.EncodeToString(hasher.Sum(nil)), err
}

// peerAndCid parses the two arguments that most commands of one peer begin with.
func peerAndCid(args []string) (peer.ID, cid.Cid, error) {
	p, err := peer.Decode(args[0])
	if err != nil {
		return "", cid.Undef, err
	}
	id, err := cid.Decode(args[1])
	return p, id, err
}
