package memory_test

import (
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/backplanetest"
	"github.com/siod-io/siod/backplane/memory"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	backplanetest.Run(t, backplanetest.Features{Durable: true, Occupancy: true, Sessions: true}, func(t *testing.T) *backplanetest.Cluster {
		return cluster(memory.NewHub(memory.Config{Window: time.Minute, Sessions: time.Minute}))
	})
}

// TestConformanceTight runs the suite without anything kept for readers, and
// with several logs.
func TestConformanceTight(t *testing.T) {
	t.Parallel()
	backplanetest.Run(t, backplanetest.Features{Durable: true, Occupancy: true}, func(t *testing.T) *backplanetest.Cluster {
		c := cluster(memory.NewHub(memory.Config{Logs: 3}))
		c.Rewind = nil // nothing is kept to go back to
		return c
	})
}

func cluster(hub *memory.Hub) *backplanetest.Cluster {
	on := func(f func(string) error) func(*testing.T, string) {
		return func(t *testing.T, id string) {
			t.Helper()
			if err := f(id); err != nil {
				t.Error(err)
			}
		}
	}
	return &backplanetest.Cluster{
		Join: func(t *testing.T, id string) backplane.Backplane {
			t.Helper()
			b, err := hub.Join(id)
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Kill:        on(hub.Kill),
		Freeze:      on(hub.Freeze),
		Thaw:        on(hub.Thaw),
		Partition:   func(_ *testing.T, groups ...[]string) { hub.Partition(groups...) },
		Heal:        func(*testing.T) { hub.Heal() },
		HoldLogs:    func(*testing.T) { hub.HoldLogs() },
		ReleaseLogs: func(*testing.T) { hub.ReleaseLogs() },
		Rewind: func(t *testing.T, log int, seq uint64) {
			t.Helper()
			if err := hub.Rewind(log, seq); err != nil {
				t.Error(err)
			}
		},
		HoldSessions:    func(*testing.T) { hub.HoldLogs() },
		ReleaseSessions: func(*testing.T) { hub.ReleaseLogs() },
		ForgetSessions:  func(*testing.T) { hub.ForgetSessions() },
	}
}
