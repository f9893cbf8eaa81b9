package natsio_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane/natsio"
)

// TestForeignLog: a stream that has the name of the log, or its subjects, and
// cannot be the log is refused by its name and by what is wrong, and is left as
// it is.
func TestForeignLog(t *testing.T) {
	t.Parallel()
	c := newLogCluster(t, natsio.LogConfig{Memory: true})
	_, js := c.operator(t)
	ours := natsio.LogStream(c.space(t), 0, c.cfg)
	for want, change := range map[string]func(*jetstream.StreamConfig){
		"subjects is ":              func(s *jetstream.StreamConfig) { s.Subjects = append(s.Subjects, "orders.>") },
		"republish is ":             func(s *jetstream.StreamConfig) { s.RePublish = nil },
		"allow_direct is false":     func(s *jetstream.StreamConfig) { s.AllowDirect = false },
		"retention is WorkQueue":    func(s *jetstream.StreamConfig) { s.Retention = jetstream.WorkQueuePolicy },
		"discard is DiscardNew":     func(s *jetstream.StreamConfig) { s.Discard = jetstream.DiscardNew },
		"duplicate_window is 1s":    func(s *jetstream.StreamConfig) { s.Duplicates = time.Second },
		"max_msgs_per_subject is 1": func(s *jetstream.StreamConfig) { s.MaxMsgsPerSubject = 1 },
		"max_age is 2m30s":          func(s *jetstream.StreamConfig) { s.MaxAge = 150 * time.Second },
		"ORDERS takes subjects of sio_": func(s *jetstream.StreamConfig) {
			*s = jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"sio.>"}, NoAck: true, Storage: jetstream.MemoryStorage}
		},
	} {
		cfg := ours
		change(&cfg)
		s, err := js.CreateStream(waiting(t), cfg)
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		before := s.CachedInfo().Config
		err = c.connects(t)
		switch {
		case !errors.Is(err, natsio.ErrForeignStream):
			t.Errorf("%s: %v", want, err)
		case !strings.Contains(err.Error(), cfg.Name), !strings.Contains(err.Error(), want), !strings.Contains(err.Error(), "another cluster name"):
			t.Errorf("%s: the error does not say so: %v", want, err)
		}
		info, err := s.Info(waiting(t))
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if diff := cmp.Diff(before, info.Config); diff != "" {
			t.Errorf("%s: the stream changed (-before +after):\n%s", want, diff)
		}
		if err := js.DeleteStream(waiting(t), cfg.Name); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.connects(t); err != nil {
		t.Errorf("without them: %v", err)
	}
}

// connects reports whether a node can join, which leaves at once.
func (c *logCluster) connects(t *testing.T) error {
	t.Helper()
	b, err := natsio.Connect(waiting(t), natsio.Config{ID: "x", InProcess: c.server[0], Options: c.server[0].NodeOptions(), Log: &c.cfg})
	if err != nil {
		return err
	}
	return b.Close(waiting(t))
}

// TestNoRoom: JetStream that is too small for the log says so at once.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]natsio.LogConfig{
		"of Memory: give JetStream more": {Memory: true, MaxBytes: 1 << 50},
		"of File: give JetStream more":   {MaxBytes: 1 << 50},
		"wants 3 servers":                {Memory: true, Replicas: 3},
	} {
		c := newLogCluster(t, cfg)
		if err := c.connects(t); !errors.Is(err, natsio.ErrNoRoom) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
