package backplanetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
)

// Features says which optional parts an implementation has.
type Features struct {
	Durable   bool // it has logs
	Occupancy bool // it implements backplane.Occupancy
	Sessions  bool // it has backplane.Sessions

	// Limits are those of the members. Zero fields are the defaults.
	Limits backplane.Limits

	// Wait bounds each wait for what must happen. Zero means 10 s.
	Wait time.Duration

	// Only leaves out the groups whose names do not begin with it, which the
	// same implementation runs in another test.
	Only string
}

// Cluster makes the members of one test and injects faults. Functions other
// than Join may be nil, which leaves out the tests that need them. Members are
// closed by the suite, killed ones included.
type Cluster struct {
	// Join adds a member and returns when it and those before it reach each
	// other.
	Join func(t *testing.T, id string) backplane.Backplane

	Kill         func(t *testing.T, id string)           // as SIGKILL does
	Freeze, Thaw func(t *testing.T, id string)           // as SIGSTOP and SIGCONT do
	Partition    func(t *testing.T, groups ...[]string)  // cut; the log is with the first group
	Heal         func(t *testing.T)                      // undo Partition
	HoldLogs     func(t *testing.T)                      // no log takes writes
	ReleaseLogs  func(t *testing.T)                      // undo HoldLogs
	Rewind       func(t *testing.T, log int, seq uint64) // the log loses what is beyond seq

	HoldSessions    func(t *testing.T) // no session record can be stored
	ReleaseSessions func(t *testing.T) // undo HoldSessions
	ForgetSessions  func(t *testing.T) // the store of sessions is created anew, empty
}

// test is one entry of the suite.
type test struct {
	name  string
	run   func(*suite)
	needs func(Features, *Cluster) bool // nil: nothing
}

// Run runs the suite. open is called once for each test.
func Run(t *testing.T, f Features, open func(t *testing.T) *Cluster) {
	if f.Wait == 0 {
		f.Wait = 10 * time.Second
	}
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Fast", fastTests},
		{"Order", orderTests},
		{"Request", requestTests},
		{"Life", lifeTests},
		{"Fault", faultTests},
		{"Log", logTests},
		{"LogFault", logFaultTests},
		{"Occupancy", occupancyTests},
		{"Sessions", sessionTests},
		{"SessionsFault", sessionFaultTests},
	} {
		if !strings.HasPrefix(group.name, f.Only) {
			continue
		}
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range group.tests {
				if tt.needs != nil && !tt.needs(f, open(t)) {
					continue // not promised by this implementation
				}
				t.Run(tt.name, func(t *testing.T) {
					t.Parallel()
					ctx, cancel := context.WithTimeout(context.Background(), f.Wait)
					t.Cleanup(cancel)
					tt.run(&suite{T: t, Cluster: open(t), f: f, ctx: ctx})
				})
			}
		})
	}
}

func canKill(_ Features, c *Cluster) bool   { return c.Kill != nil }
func canFreeze(_ Features, c *Cluster) bool { return c.Freeze != nil && c.Thaw != nil }
func canCut(_ Features, c *Cluster) bool    { return c.Partition != nil && c.Heal != nil }
func hasLog(f Features, _ *Cluster) bool    { return f.Durable }
func hasRooms(f Features, _ *Cluster) bool  { return f.Occupancy }
func canHold(f Features, c *Cluster) bool {
	return f.Durable && c.HoldLogs != nil && c.ReleaseLogs != nil
}
func canRewind(f Features, c *Cluster) bool    { return f.Durable && c.Rewind != nil }
func logFreeze(f Features, c *Cluster) bool    { return f.Durable && canFreeze(f, c) }
func logCut(f Features, c *Cluster) bool       { return f.Durable && canCut(f, c) }
func logKill(f Features, c *Cluster) bool      { return f.Durable && canKill(f, c) }
func roomsKill(f Features, c *Cluster) bool    { return f.Occupancy && canKill(f, c) }
func roomsCut(f Features, c *Cluster) bool     { return f.Occupancy && canCut(f, c) }
func roomsThaw(f Features, c *Cluster) bool    { return f.Occupancy && canFreeze(f, c) }
func thawAndKill(f Features, c *Cluster) bool  { return canFreeze(f, c) && canKill(f, c) }
func hasSessions(f Features, _ *Cluster) bool  { return f.Sessions }
func sessionsKill(f Features, c *Cluster) bool { return f.Sessions && canKill(f, c) }
func sessionsCut(f Features, c *Cluster) bool  { return f.Sessions && canCut(f, c) }
func canHoldSessions(f Features, c *Cluster) bool {
	return f.Sessions && c.HoldSessions != nil && c.ReleaseSessions != nil
}
func canForget(f Features, c *Cluster) bool { return sessionsKill(f, c) && c.ForgetSessions != nil }
