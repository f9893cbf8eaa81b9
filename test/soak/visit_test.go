package soak

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/siod-io/siod/client"
)

// way is how a client comes.
type way string

const (
	byWebSocket way = "by WebSocket"
	byPolling   way = "by polling"
	byUpgrade   way = "by an upgrade"
	oldSocket   way = "of revision 3 by WebSocket"
	oldPolling  way = "of revision 3 by polling"
)

// end is how it goes.
type end string

const (
	closes   end = "closes"                          // as Close does
	leaves   end = "leaves the namespace"            // and closes
	kicked   end = "is put out of the namespace"     // by the server
	thrown   end = "is disconnected"                 // by the server, with its connection
	breaks   end = "resets its connection"           // in the namespace
	vanishes end = "resets before a namespace"       // and, by an upgrade, in the middle of it
	returns  end = "resets, comes back, and closes"  // recovered, where the server keeps sessions
	deserts  end = "resets, comes back, and resets"  // once more
	halfway  end = "resets with events on their way" // in both directions
)

// visit is the life of one client.
type visit struct {
	way
	end
}

// everything is each way in with each way out; gentle is those of them that the
// server notices at once.
var everything, gentle = mixes()

func mixes() (all, some []visit) {
	for _, w := range []way{byWebSocket, byPolling, byUpgrade} {
		for _, e := range []end{closes, leaves, kicked, thrown, breaks, vanishes, returns, deserts, halfway} {
			v := visit{w, e}
			all = append(all, v)
			if e == closes || e == leaves || e == kicked || e == thrown || w == byWebSocket {
				some = append(some, v)
			}
		}
	}
	for _, w := range []way{oldSocket, oldPolling} {
		for _, e := range []end{closes, thrown, breaks} {
			v := visit{w, e}
			all = append(all, v)
			if e != breaks {
				some = append(some, v)
			}
		}
	}
	return all, some
}

func (s *soak) visit(ctx context.Context, i int, v visit) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var ways []client.Transport
	switch v.way {
	case byWebSocket:
		ways = []client.Transport{client.WebSocket}
	case byPolling:
		ways = []client.Transport{client.Polling}
	case byUpgrade:
		ways = []client.Transport{client.Polling, client.WebSocket}
	default:
		return s.oldVisit(ctx, i, v)
	}
	c, err := client.Dial(ctx, s.url, client.Config{NoReconnect: true, Transports: ways})
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer func() {
		_ = c.Close()
		<-c.Done()
	}()
	if v.end == vanishes {
		c.Drop()
		return nil
	}
	sock, err := c.Of("/soak", nil)
	if err != nil {
		return err
	}
	ended := make(chan struct{}, 2)
	sock.OnDisconnect(func(client.Reason) { ended <- struct{}{} })
	if err := sock.Connect(ctx); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	s.entered.Add(1)
	if err := s.converse(ctx, sock, i); err != nil {
		return err
	}
	switch v.end {
	case closes:
		return nil
	case leaves:
		err = sock.Disconnect()
	case kicked:
		err = sock.Emit(ctx, "kick", false)
	case thrown:
		err = sock.Emit(ctx, "kick", true)
	case breaks:
		c.Drop()
	case halfway:
		for n := range 20 {
			if err = sock.Emit(ctx, "leave", fmt.Sprint("never ", n)); err != nil {
				return err
			}
		}
		c.Drop()
	case returns, deserts:
		return s.comeBack(ctx, c, sock, v.end, ended)
	}
	if err != nil {
		return err
	}
	return wait(ctx, ended)
}

// converse joins, leaves and emits, each answered.
func (s *soak) converse(ctx context.Context, sock *client.Socket, i int) error {
	room := fmt.Sprint("room ", i%50)
	for _, step := range []struct {
		event, arg string
		rooms      int // the socket's own and "all" among them
	}{{"join", room, 3}, {"join", room, 3}, {"leave", room, 2}, {"join", "last", 3}} {
		if got, err := client.Call[int](ctx, sock, step.event, step.arg); err != nil || got != step.rooms {
			return fmt.Errorf("%s: %d rooms, want %d: %w", step.event, got, step.rooms, err)
		}
	}
	text := fmt.Sprint("text of ", i)
	if got, err := client.Call[string](ctx, sock, "say", text); err != nil || got != text {
		return fmt.Errorf("say: %q: %w", got, err)
	}
	s.said.Add(1)
	return nil
}

// comeBack resets the connection and opens another one.
func (s *soak) comeBack(ctx context.Context, c *client.Client, sock *client.Socket, e end, ended <-chan struct{}) error {
	c.Drop()
	if err := wait(ctx, ended); err != nil {
		return err
	}
	if err := c.Reconnect(ctx); err != nil {
		return fmt.Errorf("reconnect: %w", err)
	}
	if err := sock.Connect(ctx); err != nil {
		return fmt.Errorf("connect again: %w", err)
	}
	s.entered.Add(1)
	rooms := 3
	if sock.Recovered() {
		s.back.Add(1)
		rooms++ // what it was in before
	}
	if got, err := client.Call[int](ctx, sock, "join", "again"); err != nil || got != rooms {
		return fmt.Errorf("join after the return: %d rooms, want %d: %w", got, rooms, err)
	}
	if e == deserts {
		c.Drop()
		return wait(ctx, ended)
	}
	return nil
}

func wait(ctx context.Context, ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("the end was not noticed"), ctx.Err())
	}
}
