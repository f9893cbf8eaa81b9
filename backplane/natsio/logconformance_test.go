package natsio_test

import (
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/backplanetest"
	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/backplane/subject"
)

// TestConformanceLog runs the part of the suite that durable logs add, with one
// and with several.
func TestConformanceLog(t *testing.T) {
	t.Parallel()
	for name, logs := range map[string]int{"One": 1, "Three": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := features
			f.Durable, f.Only = true, "Log"
			backplanetest.Run(t, f, func(t *testing.T) *backplanetest.Cluster {
				return newLogCluster(t, natsio.LogConfig{Count: logs, Memory: true}).suite()
			})
		})
	}
}

// logCluster is a cluster on one server with a store.
type logCluster struct {
	*cluster
	cfg natsio.LogConfig
}

func newLogCluster(t testing.TB, cfg natsio.LogConfig) *logCluster {
	t.Helper()
	c := &logCluster{cluster: newCluster(t), cfg: cfg}
	c.startStore(t, "")
	return c
}

// startStore starts the one server, with a store in dir, or in memory.
func (c *cluster) startStore(t testing.TB, dir string) {
	t.Helper()
	s, err := embedded.Start(waiting(t), embedded.Config{
		Name: "store", Store: 1, IsStore: true, Dir: dir, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.server = append(c.server, s)
	t.Cleanup(func() {
		if err := s.Shutdown(waiting(t)); err != nil {
			t.Error(err)
		}
	})
}

func (c *logCluster) join(t testing.TB, id string, change ...func(*natsio.Config)) *member {
	t.Helper()
	return c.cluster.join(t, id, append(change, func(cfg *natsio.Config) { cfg.Log = &c.cfg })...)
}

func (c *logCluster) suite() *backplanetest.Cluster {
	s := c.cluster.suite()
	s.Join = func(t *testing.T, id string) backplane.Backplane { return c.join(t, id).Backplane }
	s.HoldLogs = func(t *testing.T) { c.subjects(t, func(int) string { return "nowhere.>" }) }
	s.ReleaseLogs = func(t *testing.T) { c.subjects(t, c.space(t).IngestLog) }
	return s
}

func (c *logCluster) space(t testing.TB) subject.Space {
	t.Helper()
	sp, err := subject.New("siod")
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// operator returns a connection of its own to the server.
func (c *logCluster) operator(t testing.TB) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := nats.Connect("", append(c.server[0].NodeOptions(), nats.CustomInboxPrefix(subject.Inbox("operator")), nats.InProcessServer(c.server[0]))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

// subjects has the streams take other subjects, so that they store nothing of
// ours, or ours again.
func (c *logCluster) subjects(t testing.TB, of func(log int) string) {
	t.Helper()
	_, js := c.operator(t)
	for i := range max(c.cfg.Count, 1) {
		cfg := natsio.LogStream(c.space(t), i, c.cfg)
		cfg.Subjects = []string{of(i)}
		if i > 0 && cfg.Subjects[0] == "nowhere.>" {
			cfg.Subjects[0] = "nowhere" + cfg.Name + ".>"
		}
		if _, err := js.UpdateStream(waiting(t), cfg); err != nil {
			t.Fatal(err)
		}
	}
}
