package recovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/siod-io/siod/node"
)

// pause waits for a random time, or until stop.
func pause(stop <-chan struct{}, most time.Duration) bool {
	t := time.NewTimer(rand.N(most))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}

// arguments make events of all shapes: none, numbers, text at the end, binary.
func arguments(i int) []any {
	switch i % 5 {
	case 0:
		return nil
	case 1:
		return []any{i}
	case 2:
		return []any{i, "text"}
	case 3:
		return []any{"6.text"}
	default:
		return []any{[]byte{byte(i), 2, 3}}
	}
}

// args are arguments of any shape.
func (w *world) args() []any { return arguments(w.rand.IntN(100)) }

// newID names an event as no other is.
func (w *world) newID(kind string) string {
	w.ids++
	return fmt.Sprintf("%s:%d", kind, w.ids)
}

// usable reports whether a session's server takes part.
func (w *world) usable(ss *session) bool { return w.servers[ss.at].up.Load() }

// step does the next thing of the plan: what it does is over before the next
// step begins, so the order of what each session is due is known.
func (w *world) step() {
	all := slices.DeleteFunc(w.model.lives(), func(ss *session) bool {
		ss.mu.Lock()
		defer ss.mu.Unlock()
		return !w.usable(ss)
	})
	if len(all) == 0 {
		pause(nil, time.Millisecond)
		return
	}
	ss := all[w.rand.IntN(len(all))]
	ctx := w.t.Context()
	switch w.rand.IntN(10) {
	case 0, 1:
		w.changeRoom(ss)
	case 2, 3, 4:
		w.emitDirect(ctx, ss)
	case 5, 6, 7:
		w.emitDurable(ctx, all)
	case 8:
		w.must("fast", w.pick().Of("/").To(rooms[w.rand.IntN(len(rooms))]).Fast().Emit(ctx, w.newID("some"), w.args()...))
		w.must("fast", w.pick().Of("/").To("all").Fast().Emit(ctx, w.newID("fast"), w.args()...))
		w.unsure++
	default:
		w.must("volatile", w.pick().Of("/").To("all").Volatile().Emit(ctx, w.newID("volatile"), w.args()...))
		w.unsure++
		ss.mu.Lock()
		s := ss.latest()
		ss.mu.Unlock()
		w.must("volatile", s.Volatile().Emit(ctx, w.newID("some"), w.args()...))
	}
	pause(nil, time.Millisecond)
}

// pick is a server that takes part.
func (w *world) pick() *server {
	for {
		if s := w.servers[w.rand.IntN(len(w.servers))]; s.up.Load() {
			return s
		}
	}
}

// changeRoom joins or leaves, by the socket or, where it is certain to be found,
// by the cluster.
func (w *world) changeRoom(ss *session) {
	room := rooms[w.rand.IntN(len(rooms))]
	ss.mu.Lock()
	in, s := ss.rooms[room], ss.latest()
	ss.mu.Unlock()
	var err error
	switch byCluster := len(w.servers) == 1 && w.rand.IntN(2) == 0; {
	case byCluster && in:
		err = w.pick().In(ss.sid).SocketsLeave(w.t.Context(), room)
	case byCluster:
		err = w.pick().In(ss.sid).SocketsJoin(w.t.Context(), room)
	case in:
		if !s.Connected() {
			return // Leave of a socket that ended does nothing
		}
		err = s.Leave(room)
		if !s.Connected() {
			err = w.certainlyLeft(ss, room)
		}
	default:
		err = s.Join(room)
	}
	switch {
	case errors.Is(err, node.ErrDisconnected):
		return
	case err != nil:
		w.model.fault(other, "room: %v", err)
		return
	}
	ss.mu.Lock()
	ss.rooms[room] = !in
	ss.mu.Unlock()
}

// lostAfter is when a session that is on its way between two servers is taken
// for lost, which it may be if its client went elsewhere meanwhile.
const lostAfter = 5 * time.Second

// certainlyLeft makes sure of a Leave during which the socket ended.
func (w *world) certainlyLeft(ss *session, room string) error {
	if len(w.servers) == 1 {
		return w.pick().In(ss.sid).SocketsLeave(w.t.Context(), room)
	}
	// The session may be on its way to another server: wait for it to arrive.
	for end := time.Now().Add(lostAfter); ; {
		ss.mu.Lock()
		s := ss.latest()
		ss.mu.Unlock()
		if w.model.failed() || !slices.Contains(w.model.lives(), ss) || !w.usable(ss) {
			return node.ErrDisconnected
		}
		if time.Now().After(end) {
			w.model.giveUp(ss)
			return node.ErrDisconnected
		}
		if s.Connected() {
			err := s.Leave(room)
			if s.Connected() {
				return err
			}
		}
		pause(nil, time.Millisecond)
	}
}

func (w *world) emitDirect(ctx context.Context, ss *session) {
	id := w.newID("direct")
	args := w.args()
	any := func(n int) int { return n - 1 - min(n-1, w.rand.IntN(3)) } // of the latest three
	err := ss.direct(any, id, func(s *node.Socket) error { return s.Emit(ctx, "plan:"+id, args...) })
	switch {
	case errors.Is(err, node.ErrDisconnected):
		w.model.over(ss)
	case err != nil && !errors.Is(err, node.ErrMoved):
		w.model.fault(other, "direct: %v", err)
	}
}

// emitDurable emits to rooms, ids or both, with an exception now and then.
func (w *world) emitDurable(ctx context.Context, all []*session) {
	id := w.newID("durable")
	to := []string{rooms[w.rand.IntN(len(rooms))]}
	if w.rand.IntN(3) == 0 {
		to = append(to, rooms[w.rand.IntN(len(rooms))], all[w.rand.IntN(len(all))].sid)
	}
	var except []string
	switch w.rand.IntN(6) {
	case 0:
		except = []string{rooms[w.rand.IntN(len(rooms))]}
	case 1:
		except = []string{all[w.rand.IntN(len(all))].sid}
	}
	for _, ss := range w.model.lives() {
		ss.mu.Lock()
		in := func(r string) bool { return r == ss.sid || ss.rooms[r] }
		if slices.ContainsFunc(to, in) && !slices.ContainsFunc(except, in) {
			ss.due = append(ss.due, id)
		}
		ss.mu.Unlock()
	}
	w.must("durable", w.pick().Of("/").To(to...).Except(except...).Emit(ctx, "plan:"+id, w.args()...))
}

// emitAll emits events that everybody gets, as fast as they go.
func (w *world) emitAll(stop <-chan struct{}, i int, s *server) {
	for n := 0; pause(stop, 10*time.Millisecond); n++ {
		if !s.up.Load() {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := s.To("all").Emit(ctx, "all", i, n)
		cancel()
		switch {
		case err == nil:
			w.allSent.Add(1)
		case s.up.Load():
			w.model.fault(other, "all: %v", err)
		}
	}
}

// emitSide emits directly while the plan goes on.
func (w *world) emitSide(stop <-chan struct{}) {
	for pause(stop, 4*time.Millisecond) {
		all := w.model.lives()
		if len(all) == 0 {
			continue
		}
		ss := all[rand.IntN(len(all))]
		ss.mu.Lock()
		if ss.latest().Emit(context.Background(), "side", ss.side+1) == nil {
			ss.side++
		}
		ss.mu.Unlock()
	}
}

// cutLinks breaks links at any time.
func (w *world) cutLinks(stop <-chan struct{}) {
	for pause(stop, 4*time.Millisecond) {
		w.peers[rand.IntN(len(w.peers))].cut()
	}
}
