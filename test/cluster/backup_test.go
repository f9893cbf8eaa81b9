package cluster

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/testclient"
	"github.com/siod-io/siod/test/internal/natsserver"
	"github.com/siod-io/siod/test/internal/target"
)

// reader is a client that comes back when the test says so.
type reader struct {
	t testing.TB
	*client.Socket
	conn *client.Client
	news chan int64
	gone chan client.Reason
}

func read(t testing.TB, s *target.Server) *reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, "http://"+s.Addr, client.Config{NoReconnect: true, Transports: []client.Transport{client.WebSocket}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); <-c.Done() })
	r := &reader{t: t, conn: c, news: make(chan int64, 1000), gone: make(chan client.Reason, 10)}
	if r.Socket, err = c.Of("/", nil); err != nil {
		t.Fatal(err)
	}
	r.On("news", func(e *client.Event) {
		var n int64
		if err := e.Args.DecodeArg(0, &n); err != nil {
			t.Errorf("news: %v", err)
		}
		r.news <- n
	})
	r.OnDisconnect(func(why client.Reason) { r.gone <- why })
	if err := r.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	testclient.Call[string](t, r.Socket, "join", "news")
	return r
}

func (r *reader) drop() {
	r.t.Helper()
	r.conn.Drop()
	testclient.Wait(r.t, r.gone)
}

// back reports whether the session went on.
func (r *reader) back() bool {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	if err := r.conn.Reconnect(ctx); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Connect(ctx); err != nil {
		r.t.Fatal(err)
	}
	return r.Recovered()
}

// until returns what comes up to number n.
func (r *reader) until(n int64) (got []int64) {
	r.t.Helper()
	for len(got) == 0 || got[len(got)-1] < n {
		got = append(got, testclient.Wait(r.t, r.news))
	}
	return got
}

// TestBackupPutBack: an older copy of a log on disk is put in the place of the log.
// Its entries go on with sequences that the nodes have seen already. They notice,
// nobody is told that nothing is missing who has an event that the log lost, and
// those who stayed get all that follows, once.
func TestBackupPutBack(t *testing.T) {
	t.Parallel()
	outside := natsserver.Start(t, natsserver.Build(t), natsserver.Loopback(t, 1)...)
	store, copied := outside[0], filepath.Join(t.TempDir(), "copy")
	nodes := threeOn(t, outside, "--app", "interop", "--recovery")
	speaker, stays := read(t, nodes[0]), read(t, nodes[1])
	ahead := []*reader{read(t, nodes[0]), read(t, nodes[2])}
	readers := append([]*reader{stays}, ahead...)
	n := int64(0)
	// say has so many numbers stored; while NATS is away some are said in vain.
	say := func(count int) (stored []int64) {
		t.Helper()
		for end := time.Now().Add(4 * patience); len(stored) < count; {
			if time.Now().After(end) {
				t.Fatal("the log takes no writes")
			}
			n++
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			if _, err := speaker.EmitWithAck(ctx, "broadcast", "news", "news", n); err == nil {
				stored = append(stored, n)
			}
			cancel()
		}
		return stored
	}
	hear := func(r *reader, want []int64, what string) {
		t.Helper()
		if got := r.until(want[len(want)-1]); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	first := say(3)
	for _, r := range readers {
		hear(r, first, "at first")
	}
	store.Stop()
	store.Backup(copied)
	store.Again()
	lost := say(5)
	for _, r := range readers {
		hear(r, lost, "behind the copy")
	}
	for _, r := range ahead {
		r.drop()
	}
	store.Stop()
	store.Restore(copied)
	store.Again()
	after := say(8) // beyond the sequences that were lost
	hear(stays, after, "who stayed")
	for _, s := range nodes {
		s.Eventually(t, "the log went back", func(m target.Metrics) bool { return m.Sum("siod_log_rewinds_total") > 0 })
	}
	for i, r := range ahead {
		if r.back() {
			t.Errorf("client %d has what the log lost, and was told that nothing is missing", i)
		}
	}
	// What is stored from here on is recovered as before.
	stays.drop()
	more := say(3)
	if !stays.back() {
		t.Error("who lost nothing is let in anew")
	}
	hear(stays, more, "who came back")
}
