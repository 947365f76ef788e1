// Blocks and FileInfos in memory: what this peer serves.

package main

import (
	"sync"

	"github.com/ipfs/go-cid"
)

type blockstore struct {
	lock   sync.RWMutex
	blocks map[cid.Cid][]byte
	files  map[cid.Cid][]byte
}

func newBlockstore() *blockstore {
	return &blockstore{blocks: map[cid.Cid][]byte{}, files: map[cid.Cid][]byte{}}
}

func (s *blockstore) put(id cid.Cid, block []byte) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.blocks[id] = block
}

func (s *blockstore) get(id cid.Cid) ([]byte, bool) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	block, ok := s.blocks[id]
	return block, ok
}

func (s *blockstore) putFile(info fileInfo) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.files[info.Root] = info.toJSON()
}

// answer is what a request for id is answered with; a root answers with its FileInfo.
func (s *blockstore) answer(id cid.Cid) ([]byte, bool) {
	if block, ok := s.get(id); ok {
		return block, true
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	info, ok := s.files[id]
	return info, ok
}

func (s *blockstore) isFile(id cid.Cid) bool {
	s.lock.RLock()
	defer s.lock.RUnlock()
	_, ok := s.files[id]
	return ok
}

// forget drops everything, so that a benchmark can fetch the same file again.
func (s *blockstore) forget() {
	s.lock.Lock()
	defer s.lock.Unlock()
	clear(s.blocks)
	clear(s.files)
}
