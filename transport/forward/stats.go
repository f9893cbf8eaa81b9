package forward

import (
	"sync/atomic"
	"time"
)

// Result is what became of a request, for counters. The set is closed.
type Result string

const (
	// Forwarded: the home answered, or accepted the tunnel.
	Forwarded Result = "forwarded"
	// HomeUnknown: no present member has the session's token.
	HomeUnknown Result = "home_unknown"
	// HomeDead: a member has it that cannot be connected to.
	HomeDead Result = "home_dead"
	// Broken: the connection to the home broke, or what answered is no home.
	Broken Result = "broken"
	// Late: the home did not answer in time.
	Late Result = "late"
	// RefusedSecret: the pass was not made of a secret that the home accepts.
	RefusedSecret Result = "refused_secret"
	// RefusedRequest: the home did not understand the request.
	RefusedRequest Result = "refused_request"
	// HopLimit: a forwarded request named a session of yet another node.
	HopLimit Result = "hop_limit"
	// Full: there were MaxTunnels.
	Full Result = "full"
	// Closing: Shutdown was called.
	Closing Result = "closing"
	// ClientGone: the client went away before it was answered.
	ClientGone Result = "client_gone"
	// BadBody: the client's body broke off, or came too slowly.
	BadBody Result = "bad_body"
)

var results = [...]Result{
	Forwarded, HomeUnknown, HomeDead, Broken, Late, RefusedSecret, RefusedRequest, HopLimit, Full, Closing, ClientGone, BadBody,
}

// counts has a counter for each Result.
type counts [len(results)]atomic.Uint64

func (c *counts) add(r Result) {
	for i := range results {
		if results[i] == r {
			c[i].Add(1)
		}
	}
}

func (c *counts) snapshot() map[Result]uint64 {
	m := make(map[Result]uint64, len(results))
	for i := range results {
		m[results[i]] = c[i].Load()
	}
	return m
}

// Stats is a snapshot of a Forwarder's counters, all since it was made.
type Stats struct {
	Sent        map[Result]uint64 // requests of clients for other nodes
	Served      map[Result]uint64 // requests of other nodes, of which Forwarded were handed on
	Pending     int               // requests that wait for other nodes now
	Tunnels     int               // WebSockets tunnelled to other nodes now
	Connections int               // to other nodes now, without those of tunnels
	Dialled     uint64            // connections to other nodes, those of tunnels included
}

// Stats returns the counters.
func (f *Forwarder) Stats() Stats {
	st := Stats{Sent: f.sent.snapshot(), Served: f.served.snapshot(), Dialled: f.dialled.Load()}
	f.mu.Lock()
	defer f.mu.Unlock()
	st.Pending, st.Tunnels, st.Connections = f.pending, len(f.tunnels), len(f.conns)
	return st
}

// seldom lets one in ten seconds through: what fails for one client fails for
// thousands.
type seldom struct{ next atomic.Int64 }

func (s *seldom) ok() bool {
	now := time.Now().UnixNano()
	next := s.next.Load()
	return now >= next && s.next.CompareAndSwap(next, now+int64(10*time.Second))
}
