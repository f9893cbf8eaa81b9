package node

import "testing"

// No more goroutines wait than are kept, the last is the first to get work, and
// the end reaches all that wait and all that would.
func TestWorkers(t *testing.T) {
	t.Parallel()
	ws := workers{keep: 2}
	first, second := ws.wait(nil), ws.wait(nil)
	if first == nil || second == nil {
		t.Fatal("a goroutine was not kept")
	}
	if ws.wait(nil) != nil {
		t.Error("more goroutines are kept than allowed")
	}
	a, b := new(Socket), new(Socket)
	if !ws.hand(a) || !ws.hand(b) {
		t.Fatal("nobody took the work although two wait")
	}
	if ws.hand(a) {
		t.Error("work was given to nobody")
	}
	if got := <-second; got != a {
		t.Error("the last to wait did not get the first work")
	}
	if got := <-first; got != b {
		t.Error("the first to wait did not get the second work")
	}
	if ws.wait(first) != first {
		t.Error("a goroutine waits elsewhere than before")
	}
	ws.close()
	if s, open := <-first; open || s != nil {
		t.Errorf("the end brought %v", s)
	}
	if ws.wait(second) != nil {
		t.Error("a goroutine waits after the end")
	}
}
