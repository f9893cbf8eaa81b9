package cluster

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/internal/testclient"
)

// outside is a NATS that no node knows from inside, with a store, and how nodes
// log in there.
func outside(t *testing.T) (*embedded.Server, NATS) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := embedded.Start(ctx, embedded.Config{Name: "outside", Store: 1, Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	n := NATS{URL: "nats://" + s.ClientAddr()}
	n.User, n.Password = s.Credentials(embedded.Node)
	return s, n
}

// Two nodes on a NATS outside: no server runs within them, durable events and
// journals are stored there.
func TestOutside(t *testing.T) {
	t.Parallel()
	_, at := outside(t)
	c := Config{Secrets: testSecrets, Gossip: "127.0.0.1:0", Stores: 1, Recovery: true, NATS: at}
	one, err := run(t, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Join = []string{one.gossip.Addr()}
	other, err := run(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if one.server != nil || other.server != nil {
		t.Error("a NATS server runs within a node")
	}
	s := poll(t, one.url)
	testclient.Call[any](t, s, "join", "room")
	got := testclient.Events(s, "news")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := other.srv.To("room").Durable().Emit(ctx, "news", "stored outside"); err != nil {
		t.Fatal(err)
	}
	if text := testclient.Next1[string](t, got); text != "stored outside" {
		t.Errorf("got %q", text)
	}
	if st := other.Stats(); st.Logs[0].Applied != 1 || st.Server.Clients != 0 {
		t.Errorf("figures: %+v", st)
	}
}

// foreign makes a stream that has the name of a cluster's log and is not one.
func foreign(t *testing.T, at NATS, cluster string) {
	t.Helper()
	sp, err := subject.New(cluster)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(at.URL, nats.UserInfo(at.User, at.Password), nats.CustomInboxPrefix(subject.Inbox("operator")))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s := natsio.LogStream(sp, 0, natsio.LogConfig{})
	s.Discard = jetstream.DiscardNew
	if _, err := js.CreateStream(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

// Who is not let in, or finds no streams that it must not make, says what to do.
func TestOutsideRefuses(t *testing.T) {
	t.Parallel()
	_, at := outside(t)
	for want, change := range map[string]func(*Config){
		"refuses this node: check --nats-creds":              func(c *Config) { c.NATS.Password = "wrong" },
		"create it first, or let the node create it":         func(c *Config) { c.NATS.Existing = true },
		"Log.Replicas is 2; it has to be 1 or 3":             func(c *Config) { c.Stores = 2 },
		"start it, or check --nats-url: natsio: connect liv": func(c *Config) { c.NATS.TLS.CA = "none.pem" },
		"sio_odd_log0: discard is DiscardNew and has to be":  func(c *Config) { c.Cluster = "odd"; foreign(t, at, "odd") },
		"sio_three_log0 wants 3 servers":                     func(c *Config) { c.Cluster, c.Stores = "three", 3 },
	} {
		c := Config{
			Secrets: testSecrets, Gossip: "127.0.0.1:0", Internal: "127.0.0.1:1", Stores: 1, NATS: at, StartTimeout: 5 * time.Second,
		}
		change(&c)
		n, err := Start(t.Context(), c)
		if err == nil {
			_ = n.Stop(t.Context(), nil)
			t.Errorf("%q: it started", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
