package node

import "testing"

// Word of emits past the log may come in any order, and behind the break.
func TestDegradedWords(t *testing.T) {
	t.Parallel()
	d := &degraded{emitted: make(map[string]uint64), broken: make(map[string]uint64)}
	heard := func(id uint64) {
		d.mu.Lock()
		d.note("a", id)
		d.mu.Unlock()
	}
	for _, step := range []struct {
		what    string
		do      func()
		pending bool
	}{
		{"word of 5", func() { heard(5) }, true},
		{"word of 3", func() { heard(3) }, true},
		{"break 4, of an emit before", func() { d.over("a", 4) }, true},
		{"break 6", func() { d.over("a", 6) }, false},
		{"late word of 5", func() { heard(5) }, false},
		{"word of 7", func() { heard(7) }, true},
		{"break of another", func() { d.over("b", 9) }, true},
		{"break for the dead", func() { d.over("a", everything) }, false},
		{"late word of 8", func() { heard(8) }, false},
	} {
		step.do()
		if d.pending() != step.pending {
			t.Errorf("%s: pending %v", step.what, d.pending())
		}
	}
}
