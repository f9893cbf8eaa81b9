package forward

import (
	"context"
	"time"
)

// Shutdown refuses new requests, ends the tunnels, spread over
// Config.DrainTime, and waits for the requests that are being forwarded. A poll
// ends with the next heartbeat of its session at the latest, and its client may
// then go on through another node. When ctx ends first, what is left is cut and
// its error returned. Connections to other nodes are closed.
//
// Requests that other nodes send here are not its business: they end with the
// engine's sessions. Close the internal listener after both.
func (f *Forwarder) Shutdown(ctx context.Context) error {
	f.mu.Lock()
	f.closing = true
	f.settle()
	f.mu.Unlock()
	f.endTunnels(ctx)
	var err error
	select {
	case <-f.idle:
	case <-ctx.Done():
		select {
		case <-f.idle:
		default:
			err = ctx.Err()
		}
	}
	f.cancel() // now what is left sees it, and ends at once
	<-f.idle
	f.polls.CloseIdleConnections()
	f.mu.Lock()
	conns := f.conns
	f.conns = nil
	f.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close()
	}
	return err
}

// endTunnels cuts the tunnels one by one.
func (f *Forwarder) endTunnels(ctx context.Context) {
	f.mu.Lock()
	var open []*tunnel
	for t := range f.tunnels {
		if t.client != nil {
			open = append(open, t)
		}
	}
	f.mu.Unlock()
	if len(open) == 0 {
		return
	}
	step := f.cfg.DrainTime / time.Duration(len(open))
	begun := time.Now()
	for i, t := range open {
		if wait := time.Until(begun.Add(time.Duration(i) * step)); wait > 0 && ctx.Err() == nil {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			timer.Stop()
		}
		t.cut()
	}
}
