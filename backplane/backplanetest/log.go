package backplanetest

import (
	"errors"
	"slices"
	"sync"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
)

var logTests = []test{
	{"Logs", logs, hasLog},
	{"OneOrderForAll", oneOrder, hasLog},
	{"ReadsOwnWrites", readsOwnWrites, hasLog},
	{"OrderOfAcknowledgements", ackOrder, hasLog},
	{"TailFromNow", tailFromNow, hasLog},
	{"TailTwice", tailTwice, hasLog},
	{"WholeEntry", wholeEntry, hasLog},
	{"AnyName", anyNameLogged, hasLog},
	{"AppendWithoutTail", appendWithoutTail, hasLog},
	{"AppendAsync", appendAsync, hasLog},
	{"AsyncInOrder", asyncOrdered, hasLog},
	{"Limits", appendLimits, hasLog},
	{"Read", read, hasLog},
	{"Status", status, hasLog},
	{"SeparateFromFast", separate, hasLog},
}

func logs(s *suite) {
	a, b := s.join("a"), s.join("b")
	first := backplane.Logs(a)
	if len(first) == 0 || len(first) != len(backplane.Logs(b)) {
		s.Fatalf("%d logs and %d logs", len(first), len(backplane.Logs(b)))
	}
	for i, l := range first {
		if l != backplane.Logs(a)[i] || l.Status().Index != i {
			s.Errorf("log %d is not always the same", i)
		}
		if st, other := l.Status(), backplane.Logs(b)[i].Status(); !st.Created.Equal(other.Created) {
			s.Errorf("log %d was created at %v and %v", i, st.Created, other.Created)
		}
	}
}

// oneOrder appends from several members at once, in random numbers, and
// compares what all of them applied.
func oneOrder(s *suite) {
	nodes := []backplane.Backplane{s.join("a"), s.join("b"), s.join("c")}
	var feeds []*feed
	for _, n := range nodes {
		feeds = append(feeds, s.tail(n))
	}
	var next uint64
	rapid.Check(s.T, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(0, 15), 3, 3).Draw(t, "appends")
		base := feeds[0].position().Seq
		var mu sync.Mutex
		returned := make(map[uint64]backplane.Position) // by id
		var wg sync.WaitGroup
		var total uint64
		for i, n := range nodes {
			for range counts[i] {
				next++
				total++
				env := event(n, next, "/")
				wg.Go(func() {
					pos, err := s.log(n).Append(s.ctx, env)
					s.check(err)
					mu.Lock()
					defer mu.Unlock()
					returned[env.ID] = pos
				})
				if rapid.Bool().Draw(t, "wait") {
					wg.Wait()
				}
			}
		}
		wg.Wait()
		last := func(f *feed) []key {
			entries := f.until(base + total)
			return keys(entries[uint64(len(entries))-total:])
		}
		want := last(feeds[0])
		for _, f := range feeds[1:] {
			if diff := cmp.Diff(want, last(f), cmp.AllowUnexported(key{})); diff != "" {
				t.Fatalf("feeds differ:\n%s", diff)
			}
		}
		for _, k := range want {
			if returned[k.id] != k.pos {
				t.Fatalf("append of %d returned %v, and it is at %v", k.id, returned[k.id], k.pos)
			}
			delete(returned, k.id)
		}
		if len(returned) > 0 {
			t.Fatalf("acknowledged and not in the log: %v", returned)
		}
	})
}

// readsOwnWrites: when Append returns, the own handler has the entry.
func readsOwnWrites(s *suite) {
	a, b := s.join("a"), s.join("b")
	f := s.tail(b)
	for i := range uint64(50) {
		s.append(a, 1000+i)
		pos := s.append(b, i)
		if at := f.position(); at.Seq < pos.Seq {
			s.Fatalf("append returned %d while P is %d", pos.Seq, at.Seq)
		}
	}
}

// ackOrder: what is appended after another append returned comes later,
// whoever appends.
func ackOrder(s *suite) {
	nodes := []backplane.Backplane{s.join("a"), s.join("b"), s.join("c")}
	var last uint64
	for i := range uint64(60) {
		pos := s.append(nodes[i%3], i)
		if pos.Seq <= last {
			s.Fatalf("append %d is at %d, after %d", i, pos.Seq, last)
		}
		last = pos.Seq
	}
}

func tailFromNow(s *suite) {
	a, b := s.join("a"), s.join("b")
	empty := s.tail(a).position()
	if st := s.log(a).Status(); empty.Seq != 0 || empty.Tag == (backplane.Tag{}) || st.Position != empty {
		s.Errorf("the empty log begins at %v, status %v", empty, st.Position)
	}
	before := s.append(a, 1)
	f := s.tail(b)
	if f.position() != before {
		s.Errorf("the feed begins at %v, want %v", f.position(), before)
	}
	after := s.append(a, 2)
	if got := keys(f.until(after.Seq)); len(got) != 1 || got[0] != (key{after, "a", 2}) {
		s.Errorf("it got %v", got)
	}
}

func tailTwice(s *suite) {
	a := s.join("a")
	s.tail(a)
	if err := s.log(a).Tail(s.ctx, &feed{s: s}); !errors.Is(err, backplane.ErrSubscribed) {
		s.Error(err)
	}
}

func wholeEntry(s *suite) {
	a, b := s.join("a"), s.join("b")
	f := s.tail(b)
	env := event(a, 9, "/")
	env.Kind, env.Flags = backplane.KindBreak, backplane.FlagOrdered
	env.Target = backplane.Target{Rooms: []string{"r"}, Except: []string{"x", "y"}}
	env.Frames.Binary = [][]byte{{1}, {}}
	pos, err := s.log(a).Append(s.ctx, env)
	if err != nil {
		s.Fatal(err)
	}
	e := f.until(pos.Seq)[0]
	if diff := cmp.Diff(env, e.Envelope); diff != "" {
		s.Errorf("envelope changed (-sent +applied):\n%s", diff)
	}
	if e.Stored.IsZero() || e.Position != pos {
		s.Errorf("entry at %v, stored %v", e.Position, e.Stored)
	}
}

// anyNameLogged: rooms and namespaces of any name come out of the log as they went
// in.
func anyNameLogged(s *suite) {
	a, b := s.join("a"), s.join("b")
	f := s.tail(b)
	var want []*backplane.Envelope
	var last uint64
	for _, n := range hostileNames {
		for _, ns := range []string{"/", "/" + n} {
			if len(ns) > backplane.DefaultNamespace {
				continue
			}
			for _, rooms := range [][]string{nil, {n}, {n, "other"}} {
				env := event(a, uint64(len(want)+1), ns)
				env.Target.Rooms = rooms
				pos, err := s.log(a).Append(s.ctx, env)
				if err != nil {
					s.Fatalf("namespace %q, rooms %q: %v", ns, rooms, err)
				}
				want, last = append(want, env), pos.Seq
			}
		}
	}
	var got []*backplane.Envelope
	for _, e := range f.until(last) {
		got = append(got, e.Envelope)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("what came differs (-appended +applied):\n%s", diff)
	}
}

func appendWithoutTail(s *suite) {
	a, b := s.join("a"), s.join("b")
	f := s.tail(b)
	pos := s.append(a, 1)
	f.until(pos.Seq)
}

func appendAsync(s *suite) {
	a, b := s.join("a"), s.join("b")
	f := s.tail(b)
	const n = 100
	type result struct {
		id  uint64
		pos backplane.Position
		err error
	}
	results := make(chan result, n)
	for i := range uint64(n) {
		err := s.log(a).AppendAsync(s.ctx, event(a, i, "/"), func(pos backplane.Position, err error) {
			results <- result{i, pos, err}
		})
		s.check(err)
	}
	want := make(map[uint64]backplane.Position)
	for range n {
		r := <-results
		s.check(r.err)
		if _, twice := want[r.id]; twice {
			s.Errorf("done of %d was called twice", r.id)
		}
		want[r.id] = r.pos
	}
	for _, k := range keys(f.until(n)) {
		if want[k.id] != k.pos {
			s.Errorf("%d is at %v, done said %v", k.id, k.pos, want[k.id])
		}
	}
}

func asyncOrdered(s *suite) {
	a := s.join("a")
	f := s.tail(a)
	const n = 100
	var want []uint64
	var stored sync.WaitGroup
	stored.Add(n)
	for i := range uint64(n) {
		env := event(a, i, "/")
		env.Flags = backplane.FlagOrdered
		s.check(s.log(a).AppendAsync(s.ctx, env, func(_ backplane.Position, err error) {
			s.check(err)
			stored.Done()
		}))
		want = append(want, i)
	}
	stored.Wait()
	var got []uint64
	for _, e := range f.until(n) {
		got = append(got, e.Envelope.ID)
	}
	if !slices.Equal(got, want) {
		s.Errorf("stored as %v", got)
	}
}

func appendLimits(s *suite) {
	a := s.join("a")
	big := event(a, 1, "/")
	big.Data = make([]byte, max(s.f.Limits.Payload, backplane.DefaultPayload)+1)
	_, err := s.log(a).Append(s.ctx, big)
	async := s.log(a).AppendAsync(s.ctx, big, func(backplane.Position, error) { s.Error("done was called") })
	for _, err := range []error{err, async} {
		if _, ok := errors.AsType[*backplane.LimitError](err); !ok {
			s.Errorf("%v", err)
		}
	}
	if pos := s.append(a, 2); pos.Seq != 1 {
		s.Errorf("the refused one took a sequence: %d", pos.Seq)
	}
}

// read: a node that joins later gets what it asks for, or is told that it is
// gone; never a part without an error.
func read(s *suite) {
	a := s.join("a")
	f := s.tail(a)
	for i := range uint64(20) {
		s.append(a, i)
	}
	b := s.join("b")
	for _, r := range [][2]uint64{{0, 20}, {5, 9}, {19, 20}, {20, 20}, {7, 7}, {15, 99}} {
		var got []backplane.Entry
		var failed error
		for e, err := range s.log(b).Read(s.ctx, r[0], r[1]) {
			if err != nil {
				failed = err
				break
			}
			got = append(got, e)
		}
		if failed != nil {
			trimmed, ok := errors.AsType[*backplane.TrimmedError](failed)
			if !ok || !errors.Is(failed, backplane.ErrTrimmed) || trimmed.First <= r[0]+1 {
				s.Errorf("read %v: %v", r, failed)
			}
			continue
		}
		want := keys(f.all()[r[0]:max(r[0], min(r[1], 20))])
		if !slices.Equal(keys(got), want) {
			s.Errorf("read %v: %v", r, keys(got))
		}
	}
	for range s.log(b).Read(s.ctx, 0, 20) {
		break
	}
}

func status(s *suite) {
	a := s.join("a")
	f := s.tail(a)
	for i := range uint64(3) {
		pos := s.append(a, i)
		st := s.log(a).Status()
		if st.Position != pos || st.Last != pos.Seq || !st.Writable || st.Waiting != 0 || st.Created.IsZero() {
			s.Errorf("after %v: %+v", pos, st)
		}
		if pos != f.position() {
			s.Errorf("the handler is at %v", f.position())
		}
	}
}

// separate: the log delivers nothing to subscriptions, and fast publications
// leave no entry.
func separate(s *suite) {
	a, b := s.join("a"), s.join("b")
	in := s.subscribe(b, backplane.Namespace("/"))
	f := s.tail(b)
	s.barrier(b, a)
	s.append(a, 1)
	s.publish(a, backplane.Namespace("/"), event(a, 2, "/"))
	pos := s.append(a, 3)
	f.until(pos.Seq)
	if got := numbers(in.take(1), "a"); !slices.Equal(got, []uint64{2}) || pos.Seq != 2 {
		s.Errorf("subscription got %v, log ends at %d", got, pos.Seq)
	}
}
