package memory

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siod-io/siod/backplane"
)

// recorder keeps sequences and resets.
type recorder struct {
	seqs   []uint64
	resets []backplane.Reset
}

func (r *recorder) Apply(e backplane.Entry) { r.seqs = append(r.seqs, e.Seq) }
func (r *recorder) Reset(x backplane.Reset) { r.resets = append(r.resets, x) }
func (r *recorder) last() backplane.Reset   { return r.resets[len(r.resets)-1] }
func log(b *Backplane) backplane.Log        { return b.Logs()[0] }
func seqs(from, to uint64) (list []uint64) {
	for s := from; s <= to; s++ {
		list = append(list, s)
	}
	return list
}

func appendN(t *testing.T, b *Backplane, n int) (last backplane.Position) {
	t.Helper()
	for i := range n {
		pos, err := log(b).Append(context.Background(), numbered(b, i))
		if err != nil {
			t.Fatal(err)
		}
		last = pos
	}
	return last
}

func tail(t *testing.T, b *Backplane) *recorder {
	t.Helper()
	r := &recorder{}
	if err := log(b).Tail(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// A member that is further behind than entries are kept jumps, to the entry
// before the first one left.
func TestJumpByBytes(t *testing.T) {
	t.Parallel()
	size := numbered(&Backplane{id: "a"}, 0).Size()
	h, m := members(t, Config{RetainBytes: 10 * size}, "a", "b")
	r := tail(t, m[1])
	appendN(t, m[0], 3)
	if err := h.Freeze("b"); err != nil {
		t.Fatal(err)
	}
	last := appendN(t, m[0], 50)
	if err := h.Thaw("b"); err != nil {
		t.Fatal(err)
	}
	if got := r.last(); got.Reason != backplane.ResetJump || got.Position.Seq != 43 {
		t.Errorf("reset %+v", got)
	}
	if want := append(seqs(1, 3), seqs(44, 53)...); !slices.Equal(r.seqs, want) {
		t.Errorf("applied %v", r.seqs)
	}
	if st := log(m[1]).Status(); st.Position != last {
		t.Errorf("at %v, the log ends at %v", st.Position, last)
	}
}

func TestJumpByAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, m := members(t, Config{Behind: time.Minute}, "a", "b")
		r := tail(t, m[1])
		if err := h.Freeze("b"); err != nil {
			t.Fatal(err)
		}
		appendN(t, m[0], 4)
		<-time.After(50 * time.Second)
		appendN(t, m[0], 4)
		<-time.After(20 * time.Second)
		appendN(t, m[0], 1)
		if err := h.Thaw("b"); err != nil {
			t.Fatal(err)
		}
		if got := r.last(); got.Reason != backplane.ResetJump || got.Position.Seq != 4 {
			t.Errorf("reset %+v", got)
		}
		if !slices.Equal(r.seqs, seqs(5, 9)) {
			t.Errorf("applied %v", r.seqs)
		}
	})
}

// Nothing is kept when nobody needs it, so a node alone holds no entries but
// its own ring's (V21).
func TestNothingKept(t *testing.T) {
	t.Parallel()
	h, m := members(t, Config{}, "a", "b")
	tail(t, m[0])
	tail(t, m[1])
	appendN(t, m[0], 10)
	if n := h.logs[0].kept.entries.len(); n != 0 {
		t.Errorf("%d entries kept", n)
	}
	if err := h.Freeze("b"); err != nil {
		t.Fatal(err)
	}
	appendN(t, m[0], 5)
	if n := h.logs[0].kept.entries.len(); n != 5 {
		t.Errorf("%d entries kept for a frozen member", n)
	}
	if err := h.Kill("b"); err != nil {
		t.Fatal(err)
	}
	if err := m[1].Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	appendN(t, m[0], 1)
	if n := h.logs[0].kept.entries.len(); n != 0 {
		t.Errorf("%d entries kept for a dead one", n)
	}
}

func readAll(b *Backplane, after, upTo uint64) (list []uint64, err error) {
	for e, err := range log(b).Read(context.Background(), after, upTo) {
		if err != nil {
			return list, err
		}
		list = append(list, e.Seq)
	}
	return list, nil
}

func TestReadWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, m := members(t, Config{Window: time.Minute}, "a")
		appendN(t, m[0], 5)
		<-time.After(50 * time.Second)
		appendN(t, m[0], 5)
		if got, err := readAll(m[0], 0, 10); err != nil || !slices.Equal(got, seqs(1, 10)) {
			t.Errorf("%v, %v", got, err)
		}
		<-time.After(20 * time.Second)
		appendN(t, m[0], 1)
		if got, err := readAll(m[0], 5, 11); err != nil || !slices.Equal(got, seqs(6, 11)) {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := readAll(m[0], 4, 11); !errors.Is(err, backplane.ErrTrimmed) || got != nil {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := readAll(m[0], 11, 99); err != nil || got != nil {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// An append that waits is bounded even if its context is not (V16).
func TestAppendTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, m := members(t, Config{}, "a")
		h.HoldLogs()
		start := time.Now()
		_, err := log(m[0]).Append(context.Background(), numbered(m[0], 1))
		if !errors.Is(err, backplane.ErrLogDown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if d := time.Since(start); d != appendTimeout {
			t.Errorf("it waited %v", d)
		}
		h.ReleaseLogs()
	})
}

func TestAppendBusy(t *testing.T) {
	t.Parallel()
	h, m := members(t, Config{}, "a")
	h.HoldLogs()
	var stored sync.WaitGroup
	stored.Add(maxPending)
	done := func(_ backplane.Position, err error) {
		if err != nil {
			t.Error(err)
		}
		stored.Done()
	}
	for i := range maxPending {
		if err := log(m[0]).AppendAsync(context.Background(), numbered(m[0], i), done); err != nil {
			t.Fatal(err)
		}
	}
	never := func(backplane.Position, error) { t.Error("done was called") }
	if err := log(m[0]).AppendAsync(context.Background(), numbered(m[0], 0), never); !errors.Is(err, backplane.ErrLogBusy) {
		t.Errorf("%v", err)
	}
	if st := log(m[0]).Status(); st.Waiting != maxPending {
		t.Errorf("status %+v", st)
	}
	h.ReleaseLogs()
	stored.Wait()
	if pos := appendN(t, m[0], 1); pos.Seq != maxPending+1 {
		t.Errorf("at %d", pos.Seq)
	}
}

// While some appends wait, no later one overtakes them.
func TestAppendKeepsOrder(t *testing.T) {
	t.Parallel()
	h, m := members(t, Config{}, "a")
	ids := &idRecorder{}
	if err := log(m[0]).Tail(context.Background(), ids); err != nil {
		t.Fatal(err)
	}
	h.HoldLogs()
	inDone, release := make(chan struct{}), make(chan struct{})
	async := func(i int, done func(backplane.Position, error)) {
		if err := log(m[0]).AppendAsync(context.Background(), numbered(m[0], i), done); err != nil {
			t.Fatal(err)
		}
	}
	async(0, func(backplane.Position, error) { close(inDone); <-release })
	async(1, func(backplane.Position, error) {})
	h.ReleaseLogs()
	<-inDone // 1 waits still
	stored := make(chan struct{})
	async(2, func(backplane.Position, error) { close(stored) })
	close(release)
	<-stored
	if !slices.Equal(ids.list, []uint64{0, 1, 2}) {
		t.Errorf("stored as %v", ids.list)
	}
}

type idRecorder struct{ list []uint64 }

func (r *idRecorder) Apply(e backplane.Entry) { r.list = append(r.list, e.Envelope.ID) }
func (r *idRecorder) Reset(backplane.Reset)   {}

// When every append that waited has given up, no goroutine is left for them.
func TestGivenUpAppends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, m := members(t, Config{}, "a")
		h.HoldLogs()
		ctx, cancel := context.WithCancel(context.Background())
		failed := make(chan error, 1)
		if err := log(m[0]).AppendAsync(ctx, numbered(m[0], 0), func(_ backplane.Position, err error) { failed <- err }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait()
		m[0].logs[0].log.mu.Lock()
		defer m[0].logs[0].log.mu.Unlock()
		if m[0].logs[0].draining {
			t.Error("the goroutine waits for nothing")
		}
	})
}

func TestRewindTooFar(t *testing.T) {
	t.Parallel()
	h, m := members(t, Config{}, "a")
	appendN(t, m[0], 5)
	if err := h.Rewind(0, 2); !errors.Is(err, backplane.ErrTrimmed) {
		t.Errorf("%v", err)
	}
	if pos := appendN(t, m[0], 1); pos.Seq != 6 {
		t.Errorf("it went back to %d", pos.Seq)
	}
}

// A log handler may use its node's locks, under which others subscribe: the
// order of locks allows it.
func TestApplyMaySubscribe(t *testing.T) {
	t.Parallel()
	_, m := members(t, Config{}, "a", "b")
	h := &subscriber{b: m[0]}
	if err := log(m[0]).Tail(context.Background(), h); err != nil {
		t.Fatal(err)
	}
	appendN(t, m[1], 1)
	if h.err != nil || !m[0].Heard("b") {
		t.Error(h.err)
	}
}

type subscriber struct {
	b   *Backplane
	err error
}

func (s *subscriber) Apply(backplane.Entry) {
	_, s.err = s.b.Subscribe(room, func(backplane.Delivery) {})
	_ = log(s.b).Status()
}
func (s *subscriber) Reset(backplane.Reset) {}
