package kill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/node"
)

// emit begins to emit durable events: most without waiting for one another, and
// some of which each waits for the one before.
func (s *server) emit() {
	every := time.Duration(float64(time.Second) / s.Rate)
	s.emits.Go(func() {
		next := time.Now()
		for n := 0; s.pause(time.Until(next)); n++ {
			next = next.Add(every)
			s.emits.Add(1)
			done := func(err error) {
				s.outcome("e", n, err)
				s.emits.Done()
			}
			if err := s.to().EmitAsync(context.Background(), done, s.event("e", n), arguments(n)...); err != nil {
				done(err)
			}
		}
	})
	s.emits.Go(func() {
		for n := 0; s.pause(10 * every); n++ {
			s.outcome("o", n, s.to().Emit(context.Background(), s.event("o", n), arguments(n)...))
		}
	})
}

func (s *server) event(kind string, n int) string { return fmt.Sprintf("%s:%s:%d", kind, s.id, n) }

// to is a room.
func (s *server) to() node.Broadcast { return s.srv.To(roomName(rand.IntN(s.Rooms))) }

func (s *server) outcome(kind string, n int, err error) {
	switch {
	case err == nil:
		s.say("ack", kind, n)
	case errors.Is(err, backplane.ErrOutcomeUnknown):
		s.say("unknown", kind, n, err.Error())
	default:
		s.say("refused", kind, n, err.Error())
	}
}

func (s *server) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.stop:
		return false
	}
}

// arguments make events of several shapes: none, a number, text at the end.
func arguments(n int) []any {
	switch n % 3 {
	case 0:
		return nil
	case 1:
		return []any{n}
	}
	return []any{n, "6.text"}
}

// obey does what a line of the input says.
func (s *server) obey(command string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command, args, _ := strings.Cut(command, " ")
	switch command {
	case "stop":
		close(s.stop)
		s.emits.Wait()
		s.say("stopped")
	case "last":
		if err := s.srv.Of("/").To().Emit(ctx, "last:"+s.id); err != nil {
			return err
		}
		s.say("last")
	case "leader":
		leader, err := s.leader(ctx)
		if err != nil {
			leader = "" // nobody, for the moment
		}
		s.say("leader", leader)
	case "stepdown":
		s.say("stepped", s.stepDown(ctx) == nil)
	case "burst":
		failed, err := s.burst(ctx, args)
		if err != nil {
			return err
		}
		s.say("burst", failed)
	case "stats":
		st := s.srv.Stats()
		s.say("stats", map[string]any{"notRecovered": st.NotRecovered, "recovered": st.Recovered, "notJournaled": st.NotJournaled,
			"fenced": st.Fenced, "replaysLost": st.ReplaysLost, "log": s.bp.LogStats()[0], "sessions": s.bp.SessionStats()})
	case "log":
		return s.dump(ctx)
	case "store":
		once, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		s.say("stored", failure(s.srv.Of("/").To().Emit(once, "last:"+s.id)))
	case "members":
		s.say("members", len(s.gossip.Members()))
	case "count":
		// A server that beats and does not take requests yet is waited for until the end.
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		n, err := s.srv.Of("/").To().CountSockets(once)
		told := ""
		if err != nil {
			told = err.Error()
		}
		s.say("counted", n, told)
	case "begin":
		s.begin()
		s.say("begun")
	case "pending":
		s.say("pending", s.requests.pending.Load())
	case "await":
		s.requests.all.Wait()
		s.say("asked", s.requests.take())
	default:
		return errors.New("unknown command")
	}
	return nil
}

// failure names what an emitter is told.
func failure(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, backplane.ErrOutcomeUnknown):
		return "outcome unknown"
	case errors.Is(err, backplane.ErrLogDown):
		return "log down"
	}
	return err.Error()
}

// burst emits so many durable events to each of the first rooms, at once, and
// waits for all. It returns how many were not acknowledged.
func (s *server) burst(ctx context.Context, args string) (failed int64, err error) {
	var rooms, each int
	if _, err := fmt.Sscan(args, &rooms, &each); err != nil {
		return 0, err
	}
	var all sync.WaitGroup
	var bad atomic.Int64
	for n := range each {
		for room := range rooms {
			all.Add(1)
			done := func(err error) {
				if err != nil {
					bad.Add(1)
				}
				all.Done()
			}
			if err := s.srv.To(roomName(room)).EmitAsync(ctx, done, fmt.Sprintf("burst:%d %d", room, n)); err != nil {
				done(err)
			}
		}
	}
	all.Wait()
	return bad.Load(), nil
}

// dump says all entries of the log.
func (s *server) dump(ctx context.Context) error {
	log := backplane.Logs(s.bp)[0]
	last := log.Status().Position.Seq
	for e, err := range log.Read(ctx, 0, last) {
		if err != nil {
			return err
		}
		room := ""
		if rooms := e.Envelope.Target.Rooms; len(rooms) == 1 {
			room = rooms[0]
		}
		s.say("entry", e.Seq, eventName(e.Envelope.Frames.Text), room)
	}
	s.say("end", last)
	return nil
}

// leader is the name of the server that leads the log, also if it is the only
// one; "" if none does.
func (s *server) leader(ctx context.Context) (string, error) {
	// A route that breaks may take the answer with it: who asks asks again.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	sp, err := subject.New(clusterName)
	if err != nil {
		return "", err
	}
	stream, err := s.asks.Stream(ctx, sp.LogStream(0))
	if err != nil {
		return "", err
	}
	if c := stream.CachedInfo().Cluster; c != nil && c.Leader != "" {
		return c.Leader, nil
	}
	if s.Replicas == 1 {
		return s.asks.Conn().ConnectedServerName(), nil
	}
	return "", nil
}

// stepDown has the log's leader give up its place.
func (s *server) stepDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	sp, err := subject.New(clusterName)
	if err != nil {
		return err
	}
	_, err = s.asks.Conn().RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+sp.LogStream(0), nil)
	return err
}

// eventName is the name of the event in a packet, `2["name",…`.
func eventName(packet []byte) string {
	_, rest, _ := bytes.Cut(packet, []byte(`["`))
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(name)
}
