// The host: TCP, Noise, Yamux, identify and ping as go-libp2p has them by default, Kademlia as a server.

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	mh "github.com/multiformats/go-multihash"
)

const (
	joinTimeout  = 10 * time.Second
	queryTimeout = 30 * time.Second
)

type node struct {
	host   host.Host
	dht    *dht.IpfsDHT
	store  *blockstore
	server *server
}

// identity is random, or the Ed25519 key whose secret is the SHA-256 of seed.
func identity(seed string) (crypto.PrivKey, error) {
	var source io.Reader = rand.Reader
	if seed != "" {
		secret := sha256.Sum256([]byte(seed))
		source = bytes.NewReader(secret[:])
	}
	key, _, err := crypto.GenerateEd25519Key(source)
	return key, err
}

func newNode(ctx context.Context, opts options) (*node, error) {
	key, err := identity(opts.seed)
	if err != nil {
		return nil, err
	}
	h, err := libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(opts.listen...),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.UserAgent(userAgent),
		libp2p.DisableRelay(),
		// On loopback everybody has one address; the manager's limits per address are for the open network.
		libp2p.ResourceManager(&network.NullResourceManager{}),
	)
	if err != nil {
		return nil, err
	}
	// No address filter is given: a plain DHT, unlike the dual one, keeps loopback and private addresses.
	kad, err := dht.New(ctx, h, dht.Mode(dht.ModeServer), dht.V1ProtocolOverride(protocol.ID(opts.kadProtocol)))
	if err != nil {
		return nil, err
	}
	store := newBlockstore()
	n := &node{host: h, dht: kad, store: store, server: newServer(store)}
	h.SetStreamHandler(blocksProtocol, n.server.handle)
	return n, nil
}

// join connects to the bootstrap nodes and fills the routing table from them. It returns the table's size.
func (n *node) join(ctx context.Context, addrs []string) (int, error) {
	if len(addrs) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	// A node enters the table only after it answered a query, shortly after identify; a refresh before that would find
	// nobody. Connected again and again, because one that closes idle connections may do so before it is asked.
	for n.dht.RoutingTable().Size() == 0 && ctx.Err() == nil {
		for _, addr := range addrs {
			if _, err := peer.AddrInfoFromString(addr); err != nil {
				return 0, err
			}
			_, _ = n.connect(ctx, addr)
		}
		for poll := 0; poll < 20 && n.dht.RoutingTable().Size() == 0; poll++ {
			time.Sleep(5 * time.Millisecond)
		}
	}
	select {
	case <-n.dht.RefreshRoutingTable():
	case <-ctx.Done():
	}
	return n.dht.RoutingTable().Size(), nil
}

func (n *node) connect(ctx context.Context, addr string) (peer.ID, error) {
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return "", err
	}
	// An address the caller names is worth a dial even just after a failed one.
	n.host.Network().(*swarm.Swarm).Backoff().Clear(info.ID)
	return info.ID, n.host.Connect(ctx, *info)
}

func (n *node) addrs() []string {
	suffix := ma.StringCast("/p2p/" + n.host.ID().String())
	var out []string
	for _, addr := range n.host.Addrs() {
		out = append(out, addr.Encapsulate(suffix).String())
	}
	return out
}

// wholeCidKey is a name under which the DHT's standard calls use the whole CID's bytes as the key, as Rust peers do.
// Those calls read nothing of a CID but its hash, and use its bytes as they are.
func wholeCidKey(id cid.Cid) cid.Cid {
	return cid.NewCidV1(cid.Raw, mh.Multihash(id.Bytes()))
}

// provide announces id under the whole CID's bytes and, for a root, under the bare multihash as well.
func (n *node) provide(ctx context.Context, id cid.Cid, both bool) error {
	if err := n.dht.Provide(ctx, wholeCidKey(id), true); err != nil {
		return fmt.Errorf("provide: %w", err)
	}
	if !both {
		return nil
	}
	return n.dht.Provide(ctx, id, true)
}

// providers sends those who have id as they are found under either key, each once; closed when both lookups ended.
func (n *node) providers(ctx context.Context, id cid.Cid) <-chan peer.AddrInfo {
	out := make(chan peer.AddrInfo)
	go func() {
		defer close(out)
		byCid, byHash := n.dht.FindProvidersAsync(ctx, wholeCidKey(id), 0), n.dht.FindProvidersAsync(ctx, id, 0)
		seen := map[peer.ID]bool{n.host.ID(): true}
		for byCid != nil || byHash != nil {
			var found peer.AddrInfo
			var open bool
			select {
			case found, open = <-byCid:
				if !open {
					byCid = nil
				}
			case found, open = <-byHash:
				if !open {
					byHash = nil
				}
			}
			if !open || seen[found.ID] {
				continue
			}
			seen[found.ID] = true
			select {
			case out <- found:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
