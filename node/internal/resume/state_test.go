package resume

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// A history must come out of a handover as it went in, bytes and all.
func TestStateRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := New("/chat", "sid", 1<<63, backplane.Offset{Position: simPosition(77), K: 5, Direct: true})
	h.Begin(0)
	h.Join("a", 0)
	for range 3 {
		w.append(&backplane.Envelope{Kind: backplane.KindEvent, Namespace: "/chat"})
	}
	h.Leave("a", 2, 0)
	h.Join("b", 3)
	l := Limits{SessionEvents: 2, SessionBytes: 100}
	for _, f := range []protocol.Frames{
		{Text: []byte("dropped")},
		{Text: []byte("not \xff UTF-8")},
		{Text: []byte("binary"), Binary: [][]byte{{0, 1, 0xff}, {}}},
	} {
		h.Emit(Direct{At: w.ring.Newest(), Frames: f, Plain: len(f.Binary) > 0}, l)
	}
	h.forgotten = 1
	h.Settle(&w.ring, 3)

	text, err := json.Marshal(h.State(&w.ring, w.ring.Newest()))
	if err != nil {
		t.Fatal(err)
	}
	var s State
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	got, ok := Restore(s)
	if !ok {
		t.Fatal("not restored")
	}
	got.accept(&w.ring)
	if diff := cmp.Diff(h, got, cmp.AllowUnexported(History{})); diff != "" {
		t.Errorf("-handed over +restored\n%s", diff)
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	good := State{Namespace: "/", SID: "sid", High: 5, K: 3, Direct: []DirectState{{Offset: "5.abcd+3", Text: []byte("x")}}}
	if _, ok := Restore(good); !ok {
		t.Fatal("the good state is refused")
	}
	for name, change := range map[string]func(*State){
		"no id":               func(s *State) { s.SID = "" },
		"no namespace":        func(s *State) { s.Namespace = "" },
		"bad stale offset":    func(s *State) { s.Stale = "x" },
		"no offset":           func(s *State) { s.Direct = []DirectState{{Offset: ""}} },
		"not a direct offset": func(s *State) { s.Direct = []DirectState{{Offset: "5.abcd"}} },
		"number too high":     func(s *State) { s.Direct = []DirectState{{Offset: "5.abcd+4"}} },
		"own out of order":    func(s *State) { s.Own, s.Settled = []OwnState{{2, "abcd"}, {2, "abcd"}}, OwnState{5, "abcd"} },
		"own above settled":   func(s *State) { s.Own, s.Settled = []OwnState{{5, "abcd"}}, OwnState{4, "abcd"} },
		"settled too high":    func(s *State) { s.Settled = OwnState{6, "abcd"} },
		"tag too short":       func(s *State) { s.Own, s.Settled = []OwnState{{2, "abc"}}, OwnState{5, "abcd"} },
		"tag too long":        func(s *State) { s.Own, s.Settled = []OwnState{{2, "abcde"}}, OwnState{5, "abcd"} },
		"position too high":   func(s *State) { s.Direct = []DirectState{{Offset: "6.abcd+1"}} },
	} {
		s := good
		change(&s)
		if _, ok := Restore(s); ok {
			t.Errorf("%s: restored", name)
		}
	}
}
