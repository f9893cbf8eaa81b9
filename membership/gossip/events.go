package gossip

import (
	"bytes"
	"errors"
	"net/netip"
	"sync"

	"github.com/hashicorp/memberlist"
)

// maxMembers bounds the nodes that are known at a time.
const maxMembers = 4096

var (
	errMany = errors.New("too many members")
	errAddr = errors.New("no valid address")
)

// events is what memberlist calls. Most calls come under its lock, so they only
// note what is true now; Gossip.reconcile looks at it later. There is one note
// for each node, however often it changes.
type events struct {
	self   string        // boot id of this node
	wake   chan struct{} // capacity 1: something is noted
	encode func() []byte // what this node announces

	mu        sync.Mutex
	peers     map[string]peer     // the others, by boot id, until their end was taken
	changed   map[string]struct{} // those with something new
	own       []byte              // what memberlist announces of this node
	contested bool                // another process announced this node's id
	company   bool                // there was another node at some time
	refused   uint64
	conflicts uint64
}

// peer is what memberlist knows of another node.
type peer struct {
	meta    []byte
	addr    netip.AddrPort
	present bool
}

var (
	_ memberlist.Delegate         = (*events)(nil)
	_ memberlist.EventDelegate    = (*events)(nil)
	_ memberlist.AliveDelegate    = (*events)(nil)
	_ memberlist.ConflictDelegate = (*events)(nil)
)

func newEvents(self string, encode func() []byte) *events {
	return &events{
		self: self, encode: encode, wake: make(chan struct{}, 1),
		peers: make(map[string]peer), changed: make(map[string]struct{}),
	}
}

// NodeMeta implements memberlist.Delegate.
func (e *events) NodeMeta(int) []byte { return e.encode() }

// NotifyMsg implements memberlist.Delegate. No node sends messages.
func (e *events) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (e *events) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate.
func (e *events) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (e *events) MergeRemoteState([]byte, bool) {}

// NotifyAlive implements memberlist.AliveDelegate: an error makes memberlist
// ignore what was announced. What is said of this node itself always passes,
// so that memberlist contradicts it.
func (e *events) NotifyAlive(n *memberlist.Node) error {
	if n.Name == e.self {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	known, ok := e.peers[n.Name]
	if ok && bytes.Equal(known.meta, n.Meta) {
		return nil
	}
	err := e.check(n)
	if err == nil && !ok && len(e.peers) >= maxMembers {
		err = errMany
	}
	if err != nil {
		e.refused++
	}
	return err
}

func (e *events) check(n *memberlist.Node) error {
	if !addrOf(n).IsValid() {
		return errAddr
	}
	_, err := decodeMember(n.Name, n.Meta)
	return err
}

// NotifyJoin implements memberlist.EventDelegate.
func (e *events) NotifyJoin(n *memberlist.Node) { e.note(n, true) }

// NotifyUpdate implements memberlist.EventDelegate.
func (e *events) NotifyUpdate(n *memberlist.Node) { e.note(n, true) }

// NotifyLeave implements memberlist.EventDelegate, for nodes that left and for
// those that died.
func (e *events) NotifyLeave(n *memberlist.Node) { e.note(n, false) }

func (e *events) note(n *memberlist.Node, present bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	meta := bytes.Clone(n.Meta)
	if n.Name == e.self {
		e.own = meta
		return
	}
	e.company = true
	e.peers[n.Name] = peer{meta, addrOf(n), present}
	e.changed[n.Name] = struct{}{}
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// NotifyConflict implements memberlist.ConflictDelegate: other claims the name
// of existing at another address. memberlist keeps the existing one.
func (e *events) NotifyConflict(_, other *memberlist.Node) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conflicts++
	e.contested = e.contested || other.Name == e.self
}

// take returns the peers with something new.
func (e *events) take() map[string]peer {
	e.mu.Lock()
	defer e.mu.Unlock()
	changed := make(map[string]peer, len(e.changed))
	for id := range e.changed {
		p := e.peers[id]
		changed[id] = p
		if !p.present {
			delete(e.peers, id)
		}
	}
	clear(e.changed)
	return changed
}

// published reports whether memberlist announces meta.
func (e *events) published(meta []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return bytes.Equal(e.own, meta)
}

func (e *events) isContested() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.contested
}

// met reports whether there ever was another node.
func (e *events) met() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.company
}

// addrs returns where the present peers gossip.
func (e *events) addrs() map[netip.AddrPort]struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make(map[netip.AddrPort]struct{}, len(e.peers))
	for _, p := range e.peers {
		if p.present {
			list[p.addr] = struct{}{}
		}
	}
	return list
}

func addrOf(n *memberlist.Node) netip.AddrPort {
	a, ok := netip.AddrFromSlice(n.Addr)
	if !ok || n.Port == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), n.Port)
}
