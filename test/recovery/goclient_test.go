package recovery

import (
	"context"
	"encoding/json"
	"net"
	"time"

	"github.com/siod-io/siod/client"
)

// transports are the ways on which clients come.
var transports = [][]client.Transport{
	{client.WebSocket}, {client.Polling}, {client.Polling, client.WebSocket},
}

// goPeer starts a client of package client. It connects again whenever its link
// breaks.
func (w *world) goPeer(index int) *peer {
	w.t.Helper()
	p := w.newPeer(index, goClient)
	cfg := client.Config{
		Transports:     transports[index%len(transports)],
		ConnectTimeout: 10 * time.Second,
		Backoff: func(int) time.Duration {
			p.wander(w)
			return time.Duration(delay()) * time.Microsecond
		},
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			l, err := w.net.dial(ctx, *p.addr.Load())
			if err != nil {
				return nil, err
			}
			p.on(l)
			return l, nil
		},
	}
	var c *client.Client
	for c == nil { // the first link may break, too
		var err error
		if c, err = client.Dial(w.t.Context(), "http://"+*p.addr.Load(), cfg); err != nil && w.t.Context().Err() != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Cleanup(func() {
		_ = c.Close()
		<-c.Done()
	})
	var sock *client.Socket
	sock, err := c.Of("/", func() (any, error) {
		pid, _ := sock.Recovery()
		a := auth{Client: index, Claimed: pid != ""}
		if ss := p.cur.Load(); ss != nil {
			a.Session = ss.sid
		}
		return a, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	p.connected = sock.Connected
	sock.OnAny(func(e *client.Event) { p.receive(e.Name, rawArguments(e)) })
	sock.OnDisconnect(func(client.Reason) { p.lost.Add(1) })
	sock.OnConnectError(func(err *client.ConnectError) { p.fault(other, "refused: %v", err) })
	go func() { _ = sock.Connect(w.t.Context()) }()
	p.agrees = func() bool {
		ss := p.cur.Load()
		return ss != nil && sock.ID() == ss.sid && sock.Recovered() == ss.recovered()
	}
	return p
}

func rawArguments(e *client.Event) []json.RawMessage {
	args := make([]json.RawMessage, e.Len())
	for i := range args {
		args[i] = e.Raw(i)
	}
	return args
}
