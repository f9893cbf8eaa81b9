package natsio_test

import (
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/backplanetest"
	"github.com/siod-io/siod/backplane/natsio"
)

// TestConformanceSessions runs the part of the suite that a store of sessions
// adds, in memory and on disk.
func TestConformanceSessions(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]bool{"Memory": false, "File": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := features
			f.Sessions, f.Only = true, "Sessions"
			backplanetest.Run(t, f, func(t *testing.T) *backplanetest.Cluster {
				return newSessionCluster(t, natsio.SessionConfig{File: file, Check: 50 * time.Millisecond}).suite()
			})
		})
	}
}

// sessionCluster is a cluster on one server with a store of sessions.
type sessionCluster struct {
	*logCluster
	cfg natsio.SessionConfig
}

func newSessionCluster(t testing.TB, cfg natsio.SessionConfig) *sessionCluster {
	t.Helper()
	c := &sessionCluster{&logCluster{cluster: newCluster(t)}, cfg}
	dir := ""
	if cfg.File {
		dir = t.TempDir()
	}
	c.startStore(t, dir)
	return c
}

func (c *sessionCluster) join(t testing.TB, id string, change ...func(*natsio.Config)) *member {
	t.Helper()
	return c.cluster.join(t, id, append(change, func(cfg *natsio.Config) { cfg.Sessions = &c.cfg })...)
}

func (c *sessionCluster) suite() *backplanetest.Cluster {
	s := c.cluster.suite()
	s.Join = func(t *testing.T, id string) backplane.Backplane { return c.join(t, id).Backplane }
	s.HoldSessions = func(t *testing.T) { c.accept(t, "nowhere.>") }
	s.ReleaseSessions = func(t *testing.T) { c.accept(t, c.space(t).Journals(), c.space(t).Owners()) }
	s.ForgetSessions = func(t *testing.T) {
		_, js := c.operator(t)
		if err := js.DeleteStream(waiting(t), c.space(t).SessionStream()); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// accept has the stream take some subjects only.
func (c *sessionCluster) accept(t testing.TB, subjects ...string) {
	t.Helper()
	_, js := c.operator(t)
	cfg := natsio.SessionStream(c.space(t), c.cfg)
	cfg.Subjects = subjects
	if _, err := js.UpdateStream(waiting(t), cfg); err != nil {
		t.Fatal(err)
	}
}
