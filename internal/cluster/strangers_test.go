package cluster

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/internal/testlog"
	"github.com/siod-io/siod/membership"
)

// Who is heard for long without being a member is told of once, and again after
// it was gone.
func TestStrangers(t *testing.T) {
	t.Parallel()
	var s strangers
	begun := time.Now()
	members := []membership.Member{{ID: "self"}, {ID: "friend"}}
	for _, step := range []struct {
		after time.Duration
		heard string
		told  string
		count int
	}{
		{0, "friend new", "", 0},
		{strangeAfter - 1, "friend new late", "", 0},
		{strangeAfter, "friend new late", "new", 1},
		{strangeAfter + 1, "friend new late", "", 1},
		{2 * strangeAfter, "new late", "late", 2},
		{3 * strangeAfter, "late", "", 1},
		{4 * strangeAfter, "new late", "", 1},
		{5 * strangeAfter, "new late", "new", 2},
		{6 * strangeAfter, "", "", 0},
	} {
		told := s.look(begun.Add(step.after), strings.Fields(step.heard), members)
		if !slices.Equal(told, strings.Fields(step.told)) || s.count() != step.count {
			t.Errorf("after %v with %q: told of %q, %d there; want %q, %d", step.after, step.heard, told, s.count(), step.told, step.count)
		}
	}
}

// Two clusters of one name on one NATS are told of each other.
func TestNamesakes(t *testing.T) {
	t.Parallel()
	_, at := outside(t)
	var log testlog.Buffer
	first := func() *process {
		t.Helper()
		p, err := run(t, Config{
			Secrets: testSecrets, Gossip: "127.0.0.1:0", Stores: 1, Recovery: true, NATS: at,
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	one := first()
	late := func() time.Time { return time.Now().Add(2 * strangeAfter) }
	one.look(time.Now())
	one.look(late())
	if n := one.Stats().Strangers; n != 0 {
		t.Errorf("a node that is alone counts %d strangers", n)
	}
	other := first()
	eventually(t, "one to hear the other", func() bool { return one.nats.Heard(other.ID()) })
	one.look(time.Now())
	one.look(late())
	if n := one.Stats().Strangers; n != 1 {
		t.Errorf("%d strangers are counted", n)
	}
	if text := log.String(); !strings.Contains(text, "give one of the two clusters another --cluster-name") || !strings.Contains(text, "node="+other.ID()) {
		t.Errorf("nobody was told of %s:\n%s", other.ID(), text)
	}
}
