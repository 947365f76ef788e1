// Command peer is a Go peer of the Chiral swarm: commands on stdin, JSON lines on stdout. Lives as long as its stdin.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

const userAgent = "chiral-peer-go/0.1.0"

type options struct {
	listen, bootstrap []string
	kadProtocol, seed string
	inflight          int
}

func parseOptions() options {
	var opts options
	list := func(into *[]string) func(string) error {
		return func(word string) error {
			*into = append(*into, word)
			return nil
		}
	}
	flag.Func("listen", "address to listen on; repeatable (default /ip4/127.0.0.1/tcp/0)", list(&opts.listen))
	flag.Func("bootstrap", "address of a bootstrap node, ending in /p2p/ID; repeatable", list(&opts.bootstrap))
	flag.StringVar(&opts.kadProtocol, "kad-protocol", "/ipfs/kad/1.0.0", "protocol name of the DHT")
	flag.StringVar(&opts.seed, "seed", "", "text that fixes the identity: the Ed25519 secret is its SHA-256")
	flag.IntVar(&opts.inflight, "inflight", 16, "requests in flight while fetching a file")
	flag.Parse()
	if len(opts.listen) == 0 {
		opts.listen = []string{"/ip4/127.0.0.1/tcp/0"}
	}
	opts.inflight = max(opts.inflight, 1)
	return opts
}

// printer writes whole lines, whoever asks.
type printer struct {
	lock sync.Mutex
	out  *json.Encoder
}

func (p *printer) line(fields reply) {
	p.lock.Lock()
	defer p.lock.Unlock()
	_ = p.out.Encode(fields)
}

func (p *printer) reply(id any, fields reply, err error) {
	if err != nil {
		fields = reply{"error": err.Error()}
	}
	fields["id"], fields["ok"] = id, err == nil
	p.line(fields)
}

func main() {
	if err := run(parseOptions()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(opts options) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, err := newNode(ctx, opts)
	if err != nil {
		return err
	}
	defer n.host.Close()
	joined, err := n.join(ctx, opts.bootstrap)
	if err != nil {
		return err
	}
	out := &printer{out: json.NewEncoder(os.Stdout)}
	out.line(reply{"event": "ready", "peer_id": n.host.ID().String(), "addrs": n.addrs(), "bootstrapped": joined})

	commands := commander{n, opts.inflight}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		var id any
		if len(words) > 0 {
			if number, err := strconv.ParseUint(words[0], 10, 64); err == nil {
				id, words = number, words[1:]
			}
		}
		if len(words) == 0 {
			continue
		}
		if words[0] == "quit" {
			out.reply(id, reply{}, nil)
			return nil
		}
		go func() {
			fields, err := commands.run(ctx, words)
			out.reply(id, fields, err)
		}()
	}
	return lines.Err()
}
