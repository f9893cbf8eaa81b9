package node_test

import (
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/internal/testlog"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// alarm is what the operator is told when the log lost entries.
const alarm = "the durable log lost entries"

// alarming has a server log into a buffer.
func alarming(log *testlog.Buffer) func(*node.Config) {
	return func(cfg *node.Config) {
		recovering(cfg)
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
}

// A log in memory that loses its newest entries, as when too many of its stores
// die, has handed some out: who got one of them is let in anew, since others will
// take its place, and who did not goes on.
func TestLogWentBack(t *testing.T) {
	t.Parallel()
	hub, group := memory.NewHub(memory.Config{Window: time.Minute}), static.NewGroup()
	var log testlog.Buffer
	srv := add(t, hub, group, alarming(&log))
	ctx, ns := t.Context(), srv.Of("/")
	conns := sockets(ns)
	connect := func() (*peer, func()) {
		p := srv.connect(t, "/", nil)
		s := wait(t, conns, "a socket")
		return p, func() { p.lose(s) }
	}
	before, loseBefore := connect()
	within, loseWithin := connect()
	stays, _ := connect()
	must(t, ns.Emit(ctx, "kept"))
	before.sees("kept")
	loseBefore()
	must(t, errors.Join(ns.Emit(ctx, "lost"), ns.Emit(ctx, "lost too")))
	within.sees("kept", "lost", "lost too")
	loseWithin()
	must(t, hub.Rewind(0, 1))
	must(t, errors.Join(ns.Emit(ctx, "new"), ns.Emit(ctx, "new too")))

	within.back()
	if within.Recovered() {
		t.Error("who got an entry that is lost is told that nothing is missing")
	}
	before.back()
	if !before.Recovered() {
		t.Errorf("who got none of them is let in anew: %v", srv.Stats().NotRecovered)
	}
	before.sees("new", "new too")
	stays.sees("kept", "lost", "lost too", "new", "new too")
	must(t, ns.Emit(ctx, "all"))
	for _, p := range []*peer{before, within, stays} {
		p.sees("all")
		p.quiet(srv.server)
	}
	if n := strings.Count(log.String(), alarm); n != 1 {
		t.Errorf("told %d times that the log lost entries:\n%s", n, log.String())
	}
}

// A server that stood still until the log had dropped what it did not get throws
// its clients off. Another server has what they missed; with it they are let in
// anew.
func TestServerTooFarBehind(t *testing.T) {
	t.Parallel()
	hub, group := memory.NewHub(memory.Config{RetainBytes: 10_000}), static.NewGroup()
	var log testlog.Buffer
	emits, stands := add(t, hub, group, recovering), add(t, hub, group, alarming(&log))
	ctx := t.Context()
	leaves, stays := roam(t, stands, "/"), roam(t, stands, "/")
	must(t, emits.Emit(ctx, "a"))
	leaves.sees("a")
	stays.sees("a")
	must(t, hub.Freeze(stands.ID()))
	missed := make([]string, 20)
	for i := range missed {
		text := strconv.Itoa(i) + strings.Repeat("x", 1000)
		missed[i] = strconv.Quote(text)
		must(t, emits.Emit(ctx, "missed", text))
		missed[i] = "missed " + missed[i]
	}
	must(t, hub.Thaw(stands.ID()))
	for _, r := range []*roaming{leaves, stays} {
		wait(t, r.ended, "the end of a connection that missed events")
	}
	leaves.goTo(emits)
	leaves.back()
	if !leaves.Recovered() {
		t.Errorf("not recovered where nothing is missing: %v", emits.Stats().NotRecovered)
	}
	leaves.sees(missed...)
	stays.back()
	if stays.Recovered() {
		t.Error("recovered where events are missing")
	}
	must(t, emits.Emit(ctx, "b"))
	leaves.sees("b")
	stays.sees("b")
	if !strings.Contains(log.String(), alarm) {
		t.Errorf("nobody is told that the server missed entries:\n%s", log.String())
	}
}

// When servers cannot reach one another, each side serves its own clients with
// fast events, and the log belongs to one of them: durable ones of the other side
// wait for it, and nobody gets any twice.
func TestPartition(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, recovering)
	ctx, hub := t.Context(), all[0].hub
	var clients []*peer
	for _, m := range all {
		conns := sockets(m.Of("/"))
		clients = append(clients, m.connect(t, "/", nil))
		wait(t, conns, "a socket")
	}
	hub.Partition([]string{all[0].ID(), all[1].ID()}, []string{all[2].ID()})
	must(t, errors.Join(all[0].To().Fast().Emit(ctx, "here", 1), all[2].To().Fast().Emit(ctx, "there", 1)))
	for i, p := range clients {
		want := "here 1"
		if i == 2 {
			want = "there 1"
		}
		p.expect(want)
	}
	stored := make(chan error, 1)
	must(t, all[2].To().EmitAsync(ctx, func(err error) { stored <- err }, "waits"))
	must(t, all[0].Emit(ctx, "durable"))
	clients[0].sees("durable")
	clients[1].sees("durable")
	select {
	case err := <-stored:
		t.Errorf("stored on the side that has no log: %v", err)
	default:
	}
	clients[2].quiet(all[2].server)
	hub.Heal()
	must(t, wait(t, stored, "the log"))
	clients[2].sees("durable", "waits")
	for i, p := range clients {
		if i < 2 {
			p.sees("waits")
		}
		p.quiet(all[i].server)
	}
}
