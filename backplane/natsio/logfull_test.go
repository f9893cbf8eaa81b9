package natsio_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/backplane/wire"
	"github.com/siod-io/siod/internal/testlog"
	"github.com/siod-io/siod/protocol"
)

// tailed keeps the sequences that a log gave out, and its resets.
type tailed struct {
	mu     sync.Mutex
	got    []uint64
	resets []backplane.Reset
}

func (h *tailed) Apply(e backplane.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, e.Seq)
}

func (h *tailed) Reset(r backplane.Reset) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got, h.resets = nil, append(h.resets, r)
}

// told is the number of resets.
func (h *tailed) told() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.resets)
}

// has reports whether exactly these sequences came since the last reset.
func (h *tailed) has(seqs ...uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Equal(h.got, seqs)
}

// TestFullLog: a log that is full takes what is new, and who asks for what had to
// go is told so.
func TestFullLog(t *testing.T) {
	t.Parallel()
	c := newLogCluster(t, natsio.LogConfig{Memory: true, MaxBytes: 1 << 20})
	a, b := c.join(t, "a"), c.join(t, "b")
	var h tailed
	for m, h := range map[*member]backplane.LogHandler{a: &tailed{}, b: &h} {
		if err := backplane.LogFor(m, "/").Tail(waiting(t), h); err != nil {
			t.Fatal(err)
		}
	}
	const n = 48 // three times what there is room for
	env := chatTo("room", 0)
	env.Frames = protocol.Frames{Text: []byte(`2/chat,["` + strings.Repeat("x", 64<<10) + `"]`)}
	var last backplane.Position
	for i := range uint64(n) {
		env.ID = i + 1
		var err error
		if last, err = backplane.LogFor(a, "/").Append(waiting(t), env); err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
	}
	until(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.got) == n && h.got[n-1] == last.Seq
	})
	var err error
	for _, err = range backplane.LogFor(b, "/").Read(waiting(t), 0, last.Seq) {
	}
	if _, ok := errors.AsType[*backplane.TrimmedError](err); !ok {
		t.Errorf("from before the first entry that is left: %v", err)
	}
	read := 0
	for _, err = range backplane.LogFor(b, "/").Read(waiting(t), last.Seq-8, last.Seq) {
		read++
	}
	if read != 8 || err != nil {
		t.Errorf("%d of the last 8 are there: %v", read, err)
	}
}

// TestOutageIsLogged: a log that takes no writes for more than a moment is named,
// with its reason, and so is the end of that.
func TestOutageIsLogged(t *testing.T) {
	t.Parallel()
	c := newLogCluster(t, natsio.LogConfig{Memory: true})
	var log testlog.Buffer
	a := c.join(t, "a", func(cfg *natsio.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	c.subjects(t, func(int) string { return "nowhere.>" })
	appended := make(chan error, 1)
	err := backplane.LogFor(a, "/").AppendAsync(waiting(t), chatTo("room", 1), func(_ backplane.Position, err error) { appended <- err })
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return log.Has("the log takes no writes") })
	if !log.Has("stream=sio_siod_log0") || !log.Has("waiting=1") || !log.Has("no responders") {
		t.Errorf("it is not said which, how many and why:\n%s", &log)
	}
	c.subjects(t, c.space(t).IngestLog)
	if err := <-appended; err != nil {
		t.Error(err)
	}
	until(t, func() bool { return log.Has("the log takes writes again") })
}

// TestLogAnew: a log that was deleted and made again, as from a backup, is noticed
// by everybody who follows it, and goes on from where it is now.
func TestLogAnew(t *testing.T) {
	t.Parallel()
	c := newLogCluster(t, natsio.LogConfig{Memory: true})
	a, b := c.join(t, "a"), c.join(t, "b")
	followers := map[*member]*tailed{a: {}, b: {}}
	for m, h := range followers {
		if err := backplane.LogFor(m, "/").Tail(waiting(t), h); err != nil {
			t.Fatal(err)
		}
	}
	appended := func(n uint64) backplane.Position {
		t.Helper()
		pos, err := backplane.LogFor(a, "/").Append(waiting(t), chatTo("room", n))
		if err != nil {
			t.Fatal(err)
		}
		return pos
	}
	all := func(seqs ...uint64) func() bool {
		return func() bool { return followers[a].has(seqs...) && followers[b].has(seqs...) }
	}
	var before backplane.Position
	for n := range uint64(3) {
		before = appended(n + 1)
	}
	until(t, all(1, 2, 3))
	_, js := c.operator(t)
	stream := natsio.LogStream(c.space(t), 0, c.cfg)
	if err := js.DeleteStream(waiting(t), stream.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(waiting(t), stream); err != nil {
		t.Fatal(err)
	}
	for n := range uint64(2) {
		appended(n + 10)
	}
	appended(12)
	for _, h := range followers {
		until(t, func() bool { return h.told() > 1 })
	}
	until(t, all(1, 2, 3))
	for m := range followers {
		until(t, func() bool { return backplane.LogFor(m, "/").Status().Position.Seq == before.Seq })
		if after := backplane.LogFor(m, "/").Status().Position; after.Tag == before.Tag {
			t.Errorf("%s: entry 3 was at %v and is at %v now", m.ID(), before, after)
		}
	}
	for m, h := range followers {
		h.mu.Lock()
		if n := len(h.resets); n != 2 || h.resets[1].Reason != backplane.ResetRewind || h.resets[1].Position.Seq != 0 {
			t.Errorf("%s was told %+v", m.ID(), h.resets)
		}
		h.mu.Unlock()
		if s := m.LogStats()[0]; s.Rewinds != 1 {
			t.Errorf("%s: %+v", m.ID(), s)
		}
	}
}

// TestLogOfLater: who follows a log is told of an entry that it cannot read and a
// node of a later version, or with larger limits, can, and passes over one that
// nobody can.
func TestLogOfLater(t *testing.T) {
	t.Parallel()
	c := newLogCluster(t, natsio.LogConfig{
		Memory: true, Reads: func() int { return wire.Version + 1 }, Largest: func() backplane.Limits { return backplane.Limits{Payload: 3 << 20} },
	})
	a := c.join(t, "a")
	var h tailed
	log := backplane.LogFor(a, "/chat")
	if err := log.Tail(waiting(t), &h); err != nil {
		t.Fatal(err)
	}
	nc, _ := c.operator(t)
	at, err := c.space(t).Ingest(0, backplane.Namespace("/chat"))
	if err != nil {
		t.Fatal(err)
	}
	put := func(data []byte) {
		t.Helper()
		if _, err := nc.RequestWithContext(waiting(t), at, data); err != nil {
			t.Fatal(err)
		}
	}
	m := wire.Message{Envelope: *chatTo("room", 1)}
	good := m.Append(nil)
	put(good)
	put([]byte{wire.Version, 0xff, 0xff}) // 2: nonsense
	put(good)
	put(append([]byte{wire.Version + 1}, good[1:]...)) // 4
	put(good)
	put(append([]byte{wire.Version + 2}, good[1:]...)) // 6: of no node
	put(good)
	long := func(size int) []byte {
		m := wire.Message{Envelope: *chatTo("room", 1)}
		m.Frames.Text = bytes.Repeat([]byte("x"), size)
		return m.Append(nil)
	}
	put(long(2 << 20)) // 8
	put(good)
	put(long(4 << 20)) // 10: of no node
	put(good)
	until(t, func() bool { return h.has(9, 11) })
	h.mu.Lock()
	resets := h.resets
	h.mu.Unlock()
	if len(resets) != 3 || resets[1].Reason != backplane.ResetJump || resets[1].Position.Seq != 4 || resets[2].Reason != backplane.ResetJump || resets[2].Position.Seq != 8 {
		t.Errorf("it was told %+v", resets)
	}
	if s := a.LogStats()[0]; s.Unreadable != 2 || s.Malformed != 3 {
		t.Errorf("%+v", s)
	}
	for _, err = range log.Read(waiting(t), 0, 5) {
	}
	if trimmed, ok := errors.AsType[*backplane.TrimmedError](err); !ok || trimmed.First != 5 {
		t.Errorf("a look at all of it ends with %v", err)
	}
}
