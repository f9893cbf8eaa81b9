package kill

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/client"
)

// transports are the ways on which clients come.
var transports = [][]client.Transport{
	{client.WebSocket}, {client.Polling, client.WebSocket}, {client.Polling},
}

// goPeer starts a client of package client. It connects to any server, and to
// any again whenever its connection breaks.
func (w *world) goPeer(index int) *peer {
	w.t.Helper()
	p := newPeer(w.model, index, goClient)
	p.home = roomName(index % *roomCount)
	var addr atomic.Pointer[string]
	var hold atomic.Int64 // for how long it is to stay away
	wander := func() {
		all := w.addresses()
		addr.Store(&all[rand.IntN(len(all))])
	}
	wander()
	cfg := client.Config{
		Transports:     transports[index%len(transports)],
		ConnectTimeout: 10 * time.Second,
		Backoff: func(attempt int) time.Duration {
			wander()
			return time.Duration(hold.Swap(0)) + 200*time.Millisecond + rand.N(time.Duration(1+min(attempt, 8))*100*time.Millisecond)
		},
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", *addr.Load())
		},
	}
	c, err := client.Dial(w.t.Context(), "http://"+*addr.Load(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	type emit struct {
		event string
		args  []any
	}
	emits := make(chan emit, 1024)
	var busy sync.WaitGroup
	var sock *client.Socket
	var claimed atomic.Bool
	sock, err = c.Of("/", func() (any, error) {
		pid, _ := sock.Recovery()
		claimed.Store(pid != "")
		return map[string]any{"client": index}, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	p.send = func(event string, args ...any) { emits <- emit{event, args} }
	p.away = func(d time.Duration) {
		hold.Store(int64(d))
		c.Drop()
	}
	busy.Go(func() {
		for e := range emits {
			if sock.Connected() { // else it is asked again when it is
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				_ = sock.Emit(ctx, e.event, e.args...)
				cancel()
			}
		}
	})
	w.t.Cleanup(func() {
		_ = c.Close()
		<-c.Done()
		close(emits)
		busy.Wait()
	})
	sock.OnAny(func(e *client.Event) {
		if e.Len() == 0 {
			p.event(e.Name, nil, nil)
			return
		}
		args := make([]json.RawMessage, e.Len()-1)
		for i := range args {
			args[i] = e.Raw(i)
		}
		p.event(e.Name, e.Raw(e.Len()-1), args)
	})
	sock.OnConnect(func() { p.connected(sock.ID(), sock.Recovered(), claimed.Load(), w.window) })
	sock.OnDisconnect(func(why client.Reason) { p.disconnected(string(why)) })
	sock.OnConnectError(func(err *client.ConnectError) { p.model.fault(other, "client %d is refused: %v", index, err) })
	go func() { _ = sock.Connect(w.t.Context()) }()
	return p
}
