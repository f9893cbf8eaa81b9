package resume

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// TestScripts runs the scenarios of testdata. A script has one log and any
// number of sessions. Offsets are written "<seq>" or "<seq>+<k>", the tag being
// that of the log as it is now; "<seq>!" has a tag of no entry, and "<seq>~"
// that of the log before its last rewind.
//
//	limits [events=N] [bytes=N] [replay=N]
//	log [rooms=a,b] [except=c] [ns=/x] [n=N] [break]   append entries
//	begin s [stale=OFFSET]                             a session begins at the log's end
//	join s room | leave s room
//	churn s n=N                                        N times join, an entry, leave
//	emit s text                                        a direct emit
//	skip s                                             one whose position is unknown
//	lose s                                             its connection breaks
//	trim keep=N | settle keep=N | jump to=N | rewind to=N
//	claim s [OFFSET]                                   judge, and list the replay
//	held s OFFSET at=N,N                               replay with things held back
//	move s                                             hand the session over
//	show s
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := newWorld()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return w.run(t, d)
		})
	})
}

type world struct {
	ring     Ring
	limits   Limits
	life     int // how often the log was rewound
	before   map[uint64]backplane.Tag
	sessions map[string]*History
	online   map[string]bool
}

func newWorld() *world {
	w := &world{
		limits:   Limits{SessionEvents: 256, SessionBytes: 64 << 10, ReplayEvents: 10_000, ReplayBytes: 4 << 20},
		before:   make(map[uint64]backplane.Tag),
		sessions: make(map[string]*History),
		online:   make(map[string]bool),
	}
	w.ring.Jump(w.position(0))
	return w
}

// stored is the time at which the entry at seq was stored: a second each.
func (w *world) stored(seq uint64) time.Time { return time.Unix(int64(seq), int64(w.life)) }

func (w *world) position(seq uint64) backplane.Position {
	return backplane.Position{Seq: seq, Tag: backplane.NewTag(time.Unix(0, 0), seq, w.stored(seq))}
}

func (w *world) append(env *backplane.Envelope) uint64 {
	seq := w.ring.Newest().Seq + 1
	w.ring.Add(NewEntry(backplane.Entry{Position: w.position(seq), Stored: w.stored(seq), Envelope: env}))
	for name, h := range w.sessions {
		if w.online[name] {
			h.Reached(seq)
		}
	}
	return seq
}

func (w *world) emit(h *History, text string) []byte {
	at := h.Place(w.ring.Newest().Seq)
	p, ok := w.ring.At(at)
	if !ok {
		h.Skip(at)
		return nil
	}
	return h.Emit(Direct{At: p, Frames: protocol.Frames{Text: []byte(text)}}, w.limits)
}

func (w *world) run(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	switch d.Cmd {
	case "limits":
		number(t, d, "events", &w.limits.SessionEvents)
		number(t, d, "bytes", &w.limits.SessionBytes)
		number(t, d, "replay", &w.limits.ReplayEvents)
		return "ok"
	case "log":
		return w.log(t, d)
	case "trim":
		keep := 0
		number(t, d, "keep", &keep)
		newest := w.ring.Newest().Seq
		w.ring.Trim(w.stored(newest+1-uint64(keep)), 1<<40)
		return w.ringState()
	case "settle":
		keep := 0
		number(t, d, "keep", &keep)
		to := w.ring.Due(w.stored(w.ring.Newest().Seq+1-uint64(keep)), 1<<40)
		for _, h := range w.sessions {
			h.Settle(&w.ring, to)
		}
		w.ring.TrimTo(to, 1<<30)
		return w.ringState()
	case "jump", "rewind":
		to := 0
		number(t, d, "to", &to)
		p := w.position(uint64(to))
		if d.Cmd == "jump" {
			w.ring.Jump(p)
			return w.ringState()
		}
		for seq := p.Seq; seq <= w.ring.Newest().Seq; seq++ {
			if old, ok := w.ring.At(seq); ok {
				w.before[seq] = old.Tag
			}
		}
		w.ring.Rewind(p)
		w.life++
		for _, h := range w.sessions {
			h.Rewind(p.Seq)
		}
		return w.ringState()
	}
	name := d.CmdArgs[0].Key
	h := w.sessions[name]
	switch {
	case d.Cmd == "begin":
		var stale backplane.Offset
		if d.HasArg("stale") {
			var text string
			d.ScanArgs(t, "stale", &text)
			stale = w.offset(t, text).Offset
		}
		h = New("/", name, 0, stale)
		h.Begin(w.ring.Newest().Seq)
		w.sessions[name], w.online[name] = h, true
		fmt.Fprintf(&out, "born at %d\n", h.birth)
	case h == nil:
		d.Fatalf(t, "no session %q", name)
	case d.Cmd == "lose":
		delete(w.online, name)
		fmt.Fprintf(&out, "at %d\n", h.High())
	case d.Cmd == "join":
		fmt.Fprintln(&out, h.Join(d.CmdArgs[1].Key, w.ring.Newest().Seq))
	case d.Cmd == "leave":
		fmt.Fprintln(&out, h.Leave(d.CmdArgs[1].Key, w.ring.Newest().Seq, w.ring.Base().Seq))
	case d.Cmd == "churn":
		n := 0
		number(t, d, "n", &n)
		for i := range n {
			room := fmt.Sprint("churn", i)
			h.Join(room, w.ring.Newest().Seq)
			w.append(&backplane.Envelope{Kind: backplane.KindEvent, Namespace: "/", Target: backplane.Target{Rooms: []string{room}}})
			h.Leave(room, w.ring.Newest().Seq, w.ring.Base().Seq)
		}
		fmt.Fprintf(&out, "%d past rooms, the log is at %d\n", len(h.past), w.ring.Newest().Seq)
	case d.Cmd == "skip":
		h.Skip(h.Place(w.ring.Newest().Seq))
		return "ok"
	case d.Cmd == "emit":
		fmt.Fprintln(&out, "offset", plain(w.emit(h, d.CmdArgs[1].Key)))
	case d.Cmd == "claim":
		w.claim(t, d, h, &out)
	case d.Cmd == "held":
		w.held(t, d, h, &out)
	case d.Cmd == "move":
		moved, ok := Restore(h.State(&w.ring, w.ring.Newest()))
		if !ok {
			d.Fatalf(t, "the state cannot be restored")
		}
		w.sessions[name] = moved
		return "ok"
	case d.Cmd == "show":
		fmt.Fprintf(&out, "birth %d, high %d, forgotten %d, gone %s\n", h.birth, h.high, h.forgotten, plain(quoted(h.gone)))
		for _, v := range append(append([]Interval(nil), h.past...), h.open...) {
			until := strconv.FormatUint(v.Until, 10)
			if v.Until == Open {
				until = "…"
			}
			fmt.Fprintf(&out, "%s (%d, %s]\n", v.Room, v.Since, until)
		}
	default:
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
	return out.String()
}

func (w *world) log(t *testing.T, d *datadriven.TestData) string {
	env := &backplane.Envelope{Kind: backplane.KindEvent, Namespace: "/"}
	n := 1
	number(t, d, "n", &n)
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "rooms":
			env.Target.Rooms = a.Vals
		case "except":
			env.Target.Except = a.Vals
		case "ns":
			env.Namespace = a.Vals[0]
		case "break":
			env.Kind = backplane.KindBreak
		}
	}
	first := uint64(0)
	for range n {
		seq := w.append(env)
		if first == 0 {
			first = seq
		}
	}
	if n == 1 {
		return fmt.Sprintln(first)
	}
	return fmt.Sprintf("%d–%d\n", first, w.ring.Newest().Seq)
}

func (w *world) ringState() string {
	return fmt.Sprintf("the ring has (%d, %d]\n", w.ring.Base().Seq, w.ring.Newest().Seq)
}

func (w *world) claim(t *testing.T, d *datadriven.TestData, h *History, out *strings.Builder) {
	var c Claim
	if len(d.CmdArgs) > 1 {
		c = w.offset(t, d.CmdArgs[1].Key)
	}
	from, v := h.Judge(&w.ring, c, w.limits)
	fmt.Fprint(out, v)
	if v != Resumable {
		fmt.Fprintln(out)
		return
	}
	fmt.Fprintf(out, " from %s:", plain(quoted(from)))
	steps, v := h.Replay(&w.ring, h.Span(from), w.ring.Newest().Seq, nil, w.limits)
	if v != Resumable {
		d.Fatalf(t, "judged resumable, and there is no replay: %v", v)
	}
	describe(out, steps)
}

func (w *world) held(t *testing.T, d *datadriven.TestData, h *History, out *strings.Builder) {
	from := w.offset(t, d.CmdArgs[1].Key).Offset
	var held []uint64
	for _, a := range d.CmdArgs {
		for _, v := range a.Vals {
			n, err := strconv.ParseUint(v, 10, 64)
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			held = append(held, n)
		}
	}
	steps, v := h.Replay(&w.ring, h.Span(from), w.ring.Newest().Seq, held, w.limits)
	fmt.Fprint(out, v)
	describe(out, steps)
}

func describe(out *strings.Builder, steps []Step) {
	for _, s := range steps {
		switch {
		case s.Entry != nil:
			fmt.Fprintf(out, " %s", plain(s.Entry.Tail))
		case s.Direct != nil:
			fmt.Fprintf(out, " %s=%s", plain(s.Direct.Tail()), s.Direct.Frames.Text)
		default:
			fmt.Fprintf(out, " held%d", s.Held)
		}
	}
	fmt.Fprintln(out)
}

// plain is an offset without its tag, in decimal.
func plain(tail []byte) string {
	if tail == nil {
		return "none"
	}
	text := strings.Trim(string(tail), `"`)
	seq, rest, _ := strings.Cut(text, ".")
	n, err := strconv.ParseUint(seq, 36, 64)
	if err != nil {
		return text
	}
	if _, k, ok := strings.Cut(rest, "+"); ok {
		m, _ := strconv.ParseUint(k, 36, 64)
		return fmt.Sprintf("%d+%d", n, m)
	}
	return strconv.FormatUint(n, 10)
}

// offset reads what a script writes for an offset.
func (w *world) offset(t *testing.T, text string) Claim {
	seq, k, direct := strings.Cut(text, "+")
	var tag func(uint64) backplane.Tag
	switch {
	case strings.HasSuffix(seq, "!"):
		tag = func(uint64) backplane.Tag { return backplane.Tag{'-', '-', '-', '-'} }
	case strings.HasSuffix(seq, "~"):
		tag = func(n uint64) backplane.Tag { return w.before[n] }
	default:
		tag = func(n uint64) backplane.Tag {
			if p, ok := w.ring.At(n); ok {
				return p.Tag
			}
			return w.position(n).Tag
		}
	}
	n, err := strconv.ParseUint(strings.TrimRight(seq, "!~"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	o := backplane.Offset{Position: backplane.Position{Seq: n, Tag: tag(n)}, Direct: direct}
	if direct {
		if o.K, err = strconv.ParseUint(k, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return Claim{Offset: o, Given: true}
}

func number(t *testing.T, d *datadriven.TestData, key string, dst *int) {
	if d.HasArg(key) {
		d.ScanArgs(t, key, dst)
	}
}
