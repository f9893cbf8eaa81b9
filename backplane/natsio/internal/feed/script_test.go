package feed

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestScripts runs the scripts in testdata. Each input prints what the
// sequencer handed on and what it wants done; an action stays open until
// "info", "fetched" or "failed" answers it. Items are written seq@stored.
//
//	start            a new sequencer
//	entry 7@70       from the feed
//	known 9          an acknowledgement
//	check, suspect   a tail check; one that compares too
//	info             the answer to ask: first= last= stored= created= leader=no deleted=(…)
//	fetched 5@50 …   the answer to fetch
//	failed ask|fetch
//	after 250ms      time passes
//	stats
func TestScripts(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		t.Parallel()
		sc := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return sc.run(t, d)
		})
	})
}

type script struct {
	now time.Time
	s   *Sequencer[string]
	out strings.Builder

	open map[ActionKind]Action
}

func (sc *script) Apply(it Item[string]) { fmt.Fprintf(&sc.out, "apply %d@%d\n", it.Seq, it.Stored) }

func (sc *script) Reset(r Reset) {
	fmt.Fprintf(&sc.out, "reset %s to %d@%d\n", r.Reason, r.Seq, r.Stored)
}

func (sc *script) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	sc.out.Reset()
	switch d.Cmd {
	case "start":
		sc.now = time.Unix(1000, 0)
		sc.open = map[ActionKind]Action{}
		sc.s = New(Config{Hold: 4}, sc)
	case "entry":
		for _, it := range items(t, d) {
			sc.s.Entry(sc.now, it)
		}
	case "known":
		sc.s.Known(sc.now, number(t, d.CmdArgs[0].Key))
	case "check":
		sc.s.Check()
	case "suspect":
		sc.s.Suspect()
	case "info":
		sc.s.Info(sc.now, sc.answered(t, Ask), info(t, d))
	case "fetched":
		sc.s.Fetched(sc.now, sc.answered(t, Fetch), items(t, d))
	case "failed":
		kind := map[string]ActionKind{"ask": Ask, "fetch": Fetch}[d.CmdArgs[0].Key]
		sc.s.Failed(sc.now, sc.answered(t, kind))
	case "after":
		dur, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		sc.now = sc.now.Add(dur)
	case "stats":
		return fmt.Sprintf("%+v\n", sc.s.Stats())
	default:
		t.Fatalf("no command %q", d.Cmd)
	}
	sc.actions()
	return sc.out.String()
}

// actions prints and opens what the sequencer wants.
func (sc *script) actions() {
	for a, ok := sc.s.Next(sc.now); ok; a, ok = sc.s.Next(sc.now) {
		sc.open[a.Kind] = a
		if a.Kind == Ask {
			sc.out.WriteString("ask")
		} else {
			fmt.Fprintf(&sc.out, "fetch %d to %d", a.From, a.UpTo)
		}
		if a.Leader {
			sc.out.WriteString(" from the leader")
		}
		if a.Deleted {
			sc.out.WriteString(" with deleted")
		}
		sc.out.WriteByte('\n')
	}
	if at := sc.s.Wake(); !at.IsZero() {
		fmt.Fprintf(&sc.out, "(wake in %v)\n", at.Sub(sc.now))
	}
}

// answered takes the action that is open.
func (sc *script) answered(t *testing.T, kind ActionKind) Action {
	t.Helper()
	a, ok := sc.open[kind]
	if !ok {
		t.Fatalf("an answer to an action of kind %d, and there is none", kind)
	}
	delete(sc.open, kind)
	return a
}

func items(t *testing.T, d *datadriven.TestData) []Item[string] {
	t.Helper()
	var list []Item[string]
	for _, arg := range d.CmdArgs {
		seq, stored, _ := strings.Cut(arg.Key, "@")
		list = append(list, Item[string]{Seq: number(t, seq), Stored: int64(number(t, stored)), Size: 1})
	}
	return list
}

func info(t *testing.T, d *datadriven.TestData) Info {
	t.Helper()
	in := Info{Created: 1, First: 1, Leader: true}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "created":
			in.Created = int64(number(t, arg.Vals[0]))
		case "first":
			in.First = number(t, arg.Vals[0])
		case "last":
			in.Last = number(t, arg.Vals[0])
		case "stored":
			in.LastStored = int64(number(t, arg.Vals[0]))
		case "leader":
			in.Leader = arg.Vals[0] == "yes"
		case "deleted":
			for _, v := range arg.Vals {
				in.Deleted = append(in.Deleted, number(t, v))
			}
		default:
			t.Fatalf("info has no %q", arg.Key)
		}
	}
	return in
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
