package node_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/siod-io/siod/node"
)

func live(cfg *node.Config) {
	recovering(cfg)
	cfg.LogDown = node.LogDownLive
}

// While the log takes no writes, an event is delivered to who is connected, and
// nobody recovers across it.
func TestLogDownLive(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	all := cluster(t, 2, live)
	here, there := sockets(all[0].Of("/")), sockets(all[1].Of("/"))
	near, far, away := all[0].connect(t, "/", nil), all[1].connect(t, "/", nil), all[1].connect(t, "/", nil)
	s := wait(t, here, "a socket")
	wait(t, there, "a socket")
	gone := wait(t, there, "a socket")
	if gone.ID() != away.ID() {
		t.Fatal("the sockets came in another order")
	}
	must(t, all[0].Emit(ctx, "stored", 0))
	for _, p := range []*peer{near, far, away} {
		p.sees("stored 0")
	}
	away.lose(gone)

	all[0].hub.HoldLogs()
	for _, f := range []func() error{
		func() error { return all[0].Emit(ctx, "degraded", 1) },
		func() error {
			done, told := outcome()
			must(t, all[0].Of("/").Broadcast().EmitAsync(ctx, done, "degraded", 1))
			return wait(t, told, "done")
		},
		func() error { return all[0].In(far.ID(), near.ID()).Except("nobody").Emit(ctx, "degraded", 1) },
	} {
		if err := f(); !errors.Is(err, node.ErrDegraded) {
			t.Errorf("emitted with %v", err)
		}
		near.expect("degraded 1")
		far.expect("degraded 1")
	}
	away.back()
	if away.Recovered() {
		t.Error("recovered across events that are stored nowhere")
	}
	if st := all[1].Stats(); st.NotRecovered["degraded"] != 1 {
		t.Errorf("refused %v", st.NotRecovered)
	}
	if n := all[0].Stats().Degraded; n != 3 {
		t.Errorf("%d degraded emits", n)
	}

	all[0].hub.ReleaseLogs()
	for _, m := range all {
		until(t, func() bool { return !node.Degraded(m.Server) })
	}
	near.lose(s) // with what it got before
	near.back()
	if near.Recovered() {
		t.Error("recovered from before the break")
	}
	must(t, all[0].Emit(ctx, "stored", 2))
	near.sees("stored 2")
	s = wait(t, here, "a socket")
	near.lose(s)
	must(t, all[1].Emit(ctx, "stored", 3))
	near.back()
	near.sees("stored 3")
	if !near.Recovered() {
		t.Error("not recovered behind the break")
	}
}

// The others store the break of a server that died before it could.
func TestBreakOfTheDead(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, live)
	far := all[1].connect(t, "/", nil)
	all[0].hub.HoldLogs()
	if err := all[0].In(far.ID()).Emit(t.Context(), "degraded", 1); !errors.Is(err, node.ErrDegraded) {
		t.Errorf("emitted with %v", err)
	}
	far.expect("degraded 1")
	until(t, func() bool { return node.Degraded(all[2].Server) }) // it has nobody in that room
	all[0].kill(t)
	all[1].hub.ReleaseLogs()
	for _, m := range all[1:] {
		until(t, func() bool { return !node.Degraded(m.Server) })
	}
}

func TestLogDownOutOfRange(t *testing.T) {
	t.Parallel()
	cfg := node.Config{LogDown: 2}
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "LogDown 2") {
		t.Error(err)
	}
}
