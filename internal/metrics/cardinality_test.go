package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/metrics"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// Clients cannot add series: 10,000 rooms, many ids, events and namespaces of
// their own making leave the number of series as it is, and none of these names
// is in a scrape.
func TestCardinality(t *testing.T) {
	t.Parallel()
	const clients, rooms, names = 20, 500, 50
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID()})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := node.New(node.Config{Backplane: bp, Membership: self})
	if err != nil {
		t.Fatal(err)
	}
	srv.Of("/").OnConnect(func(_ context.Context, s *node.Socket) error {
		for i := range rooms {
			if err := s.Join(fmt.Sprintf("canary-room-%s-%d", s.ID(), i)); err != nil {
				return err
			}
		}
		return nil
	})
	srv.Of("/").OnUnhandled(func(_ context.Context, e *node.Event) error {
		if e.WantsAck() {
			return e.Ack()
		}
		return nil
	})
	srv.Of("/canary-namespace")
	hs := httptest.NewServer(srv)
	defer hs.Close()

	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics.New(srv.Stats, metrics.Options{Namespaces: []string{"/"}}))
	before, _ := series(t, reg)

	var open []*client.Client
	for i := range clients {
		c, err := client.Dial(ctx, hs.URL, client.Config{Transports: []client.Transport{client.WebSocket}})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		s, err := c.Connect(ctx, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := range names {
			if err := s.Emit(ctx, fmt.Sprintf("canary-event-%d-%d", i, n)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.EmitWithAck(ctx, "canary-last"); err != nil { // all the others were handled before it
			t.Fatal(err)
		}
		if _, err := c.Connect(ctx, "/canary-namespace", nil); err != nil {
			t.Fatal(err)
		}
		var refused *client.ConnectError
		if _, err := c.Connect(ctx, fmt.Sprintf("/canary-%d", i), nil); !errors.As(err, &refused) {
			t.Fatalf("a namespace of a client's making: %v", err)
		}
	}
	if got := srv.Stats().Sockets["/"]; got != clients {
		t.Fatalf("%d sockets, want %d", got, clients)
	}
	all, err := srv.Of("/").Rooms(ctx)
	if err != nil || len(all) != clients*rooms {
		t.Fatalf("%d rooms (%v), want %d", len(all), err, clients*rooms)
	}

	after, shown := series(t, reg)
	if after != before {
		t.Errorf("%d series before, %d after", before, after)
	}
	if strings.Contains(shown, "canary") {
		t.Errorf("a name that a client made up is shown:\n%s", shown)
	}
	for _, c := range open {
		if strings.Contains(shown, c.SID()) {
			t.Error("a session id is shown")
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := bp.Close(ctx); err != nil {
		t.Error(err)
	}
}

func series(t *testing.T, reg *prometheus.Registry) (n int, text string) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		n += len(f.Metric)
		fmt.Fprintln(&b, f)
	}
	return n, b.String()
}
