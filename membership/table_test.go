package membership

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func named(id, name string, started int) Member {
	return Member{ID: id, Token: Token(id), Name: name, Started: time.Unix(int64(started), 0)}
}

func memberIDs(t *Table) []string {
	var list []string
	for _, m := range t.Members() {
		list = append(list, m.ID)
	}
	return list
}

func TestTablePut(t *testing.T) {
	t.Parallel()
	type step struct {
		m    Member
		want error
	}
	dead := named("a", "", 0)
	dead.State = Dead
	left := named("a", "", 0)
	left.State = Left
	clash := named("b", "", 0)
	clash.Token = Token("a")
	for _, tt := range []struct {
		name  string
		steps []step
		want  []string
	}{
		{"sorted", []step{{named("c", "", 0), nil}, {named("a", "", 0), nil}, {named("b", "", 0), nil}}, []string{"a", "b", "c"}},
		{"again", []step{{named("a", "", 0), nil}, {named("a", "", 0), nil}}, []string{"a"}},
		{"token taken", []step{{named("a", "", 0), nil}, {clash, ErrDuplicate}}, []string{"a"}},
		{"token free again", []step{{named("a", "", 0), nil}, {dead, nil}, {clash, nil}}, []string{"b"}},
		{"dead comes back", []step{{named("a", "", 0), nil}, {dead, nil}, {named("a", "", 0), nil}}, []string{"a"}},
		{"left does not", []step{{named("a", "", 0), nil}, {left, nil}, {named("a", "", 0), ErrDuplicate}}, nil},
		{"left unseen does not either", []step{{left, nil}, {named("a", "", 0), ErrDuplicate}}, nil},
		{"later boot", []step{{named("a", "n", 1), nil}, {named("b", "n", 2), nil}}, []string{"b"}},
		{"earlier boot", []step{{named("b", "n", 2), nil}, {named("a", "n", 1), ErrDuplicate}}, []string{"b"}},
		{"ended boot", []step{{named("a", "n", 1), nil}, {named("b", "n", 2), nil}, {named("a", "", 1), ErrDuplicate}}, []string{"b"}},
		{"no name", []step{{named("a", "", 1), nil}, {named("b", "", 2), nil}}, []string{"a", "b"}},
		{"refused changes nothing", []step{{named("a", "n", 1), nil}, {clash, ErrDuplicate}, {named("b", "m", 1), nil}}, []string{"a", "b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var table Table
			for i, s := range tt.steps {
				if err := table.Put(s.m); !errors.Is(err, s.want) {
					t.Errorf("step %d: %v, want %v", i, err, s.want)
				}
			}
			if got := memberIDs(&table); !slices.Equal(got, tt.want) {
				t.Errorf("members %v, want %v", got, tt.want)
			}
		})
	}
}

// A snapshot that somebody holds never changes.
func TestTableSnapshots(t *testing.T) {
	t.Parallel()
	changed := named("b", "", 0)
	changed.Addr = "changed"
	for name, change := range map[string]func(*Table) error{
		"add":    func(table *Table) error { return table.Put(named("a", "", 0)) },
		"update": func(table *Table) error { return table.Put(changed) },
		"remove": func(table *Table) error { table.Remove("b", Dead); return nil },
	} {
		var table Table
		for _, id := range []string{"b", "c"} {
			if err := table.Put(named(id, "", 0)); err != nil {
				t.Fatal(err)
			}
		}
		held := table.Members()
		want := slices.Clone(held)
		if err := change(&table); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, held); diff != "" {
			t.Errorf("%s changes what was given out:\n%s", name, diff)
		}
	}
}

// An event that waits for a slow receiver is replaced by what is true now.
func TestWatchIsUpToDate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var table Table
		ctx, cancel := context.WithCancel(t.Context())
		w := table.Watch(ctx)
		m := named("a", "", 0)
		for i := range 5 {
			m.Version = strconv.Itoa(i)
			if err := table.Put(m); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the watch waits for us with an event
		}
		if ev := <-w; ev.Member.Version != "4" {
			t.Errorf("version %s", ev.Member.Version)
		}
		cancel()
		if ev, ok := <-w; ok {
			t.Errorf("and then %+v", ev)
		}
	})
}

// TestTableModel compares lookups with a map after random changes.
func TestTableModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var table Table
		model := make(map[string]Member)
		ended := make(map[string]bool)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			id := strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "id"))
			switch op := rapid.IntRange(0, 4).Draw(t, "op"); op {
			case 0:
				table.Remove(id, Left)
				delete(model, id)
				ended[id] = true
			case 1:
				table.Remove(id, Dead)
				delete(model, id)
			default:
				m := named(id, "", 0)
				m.Version = strconv.Itoa(rapid.IntRange(0, 99).Draw(t, "version"))
				if err := table.Put(m); (err != nil) != ended[id] {
					t.Fatalf("put %s: %v", id, err)
				} else if err == nil {
					model[id] = m
				}
			}
		}
		if len(table.Members()) != len(model) {
			t.Fatalf("%d members, want %d", len(table.Members()), len(model))
		}
		for i := range 10 {
			id := strconv.Itoa(i)
			want, there := model[id]
			byID, ok := table.Lookup(id)
			byToken, ok2 := table.ByToken(Token(id))
			if ok != there || ok2 != there || byID.Version != want.Version || byToken.Version != want.Version {
				t.Fatalf("%s is %v %+v, want %v %+v", id, ok, byID, there, want)
			}
		}
	})
}

// Ends are reported before other changes, and with the reason, however many
// there were.
func TestWatchReportsEndsFirst(t *testing.T) {
	t.Parallel()
	var table Table
	for _, id := range []string{"a", "b", "c"} {
		if err := table.Put(named(id, "", 0)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := table.Watch(ctx)
	for range 3 {
		<-w
	}
	table.mu.Lock() // one change with all of this, as from one gossip round
	table.remove("c", Dead)
	table.remove("b", Left)
	table.mu.Unlock()
	m := named("a", "", 0)
	m.Addr = "new"
	if err := table.Put(m); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 3 {
		ev := <-w
		got = append(got, ev.Kind.String()+" "+ev.Member.ID+" "+ev.Member.State.String())
	}
	if want := []string{"gone b left", "gone c dead", "updated a alive"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	cancel()
	for range w {
	}
}

// Who goes between the call of Watch and the first event is reported, too.
func TestWatchBegins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var table Table
		for _, id := range []string{"a", "b"} {
			if err := table.Put(named(id, "", 0)); err != nil {
				t.Fatal(err)
			}
		}
		w := table.Watch(t.Context())
		table.Remove("a", Dead) // before its goroutine runs, mostly
		synctest.Wait()
		table.Remove("b", Dead) // while it waits to report a
		var got []string
		for range 4 {
			ev := <-w
			got = append(got, ev.Kind.String()+" "+ev.Member.ID)
		}
		if want := []string{"joined a", "joined b", "gone a", "gone b"}; !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
	})
}

// What was forgotten about a member that is gone is taken from what was known.
func TestWatchAfterManyEnds(t *testing.T) {
	t.Parallel()
	var table Table
	first := named("first", "", 0)
	first.Addr = "x:1"
	if err := table.Put(first); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := table.Watch(ctx)
	<-w
	table.mu.Lock()
	table.remove("first", Left)
	clear(table.gone)
	table.mu.Unlock()
	if ev := <-w; ev.Kind != Gone || ev.Member.Addr != "x:1" || ev.Member.State.Present() {
		t.Errorf("%+v", ev)
	}
	cancel()
	for range w {
	}
}

// A process that sees members come and go for ever does not grow.
func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	var table Table
	for i := range 3 * maxGone {
		m := Member{ID: strconv.Itoa(i), Token: strconv.Itoa(i)}
		if err := table.Put(m); err != nil {
			t.Fatal(err)
		}
		table.Remove(m.ID, Left)
	}
	if len(table.gone) > maxGone || len(table.ended) > maxGone || len(table.tokens) > 0 {
		t.Errorf("%d gone, %d ended, %d tokens", len(table.gone), len(table.ended), len(table.tokens))
	}
}

// Tokens are part of ids that clients keep: they never change.
func TestToken(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"":                           "47DEQp",
		"a":                          "ypeBEs",
		"abcdefghijklmnopqrstuvwxyz": "ccSA35",
	} {
		if got := Token(id); got != want {
			t.Errorf("Token(%q) = %s, want %s", id, got, want)
		}
	}
}

func TestNewID(t *testing.T) {
	t.Parallel()
	a, b := NewID(), NewID()
	if a == b || len(a) < 26 || a != strings.ToLower(a) {
		t.Errorf("%s, %s", a, b)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"alive": Alive.String(), "leaving": Leaving.String(), "left": Left.String(), "dead": Dead.String(),
		"joined": Joined.String(), "updated": Updated.String(), "gone": Gone.String(),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if State(9).String() != "unknown" || EventKind(9).String() != "unknown" {
		t.Error("values out of range have names")
	}
}
