package transport

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestQueue compares the queue with a plain slice.
func TestQueue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model []item
		keys := []string{"", "", "a", "b"}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"push", "push", "push", "pop", "pop", "drop", "conflate", "clear"}).Draw(t, "step") {
			case "push":
				it := item{
					msg:  NewText(make([]byte, rapid.IntRange(0, 9).Draw(t, "size"))),
					key:  rapid.SampledFrom(keys).Draw(t, "key"),
					free: rapid.Bool().Draw(t, "free"),
				}
				q.push(it)
				model = append(model, it)
			case "pop":
				it, ok := q.pop()
				if ok != (len(model) > 0) || ok && it != model[0] {
					t.Fatalf("pop: %v %v", it, ok)
				}
				if ok {
					model = model[1:]
				}
			case "drop":
				if len(model) > 0 {
					q.drop()
					model = model[1:]
				}
			case "conflate":
				key := rapid.SampledFrom(keys[2:]).Draw(t, "key")
				found := false
				for i, it := range model {
					if it.key == key {
						model = append(append([]item{}, model[:i]...), model[i+1:]...)
						found = true
						break
					}
				}
				if q.conflate(key) != found {
					t.Fatalf("conflate %q: %v", key, !found)
				}
			case "clear":
				q.clear()
				model = nil
			}
			compareQueue(t, &q, model)
		}
	})
}

func compareQueue(t *rapid.T, q *queue, model []item) {
	t.Helper()
	bytes, free := 0, 0
	for _, it := range model {
		if it.free {
			free++
		} else {
			bytes += len(it.msg.first.frames.Text) + itemOverhead
		}
	}
	if q.len() != len(model) || q.bytes != bytes || q.charged() != len(model)-free {
		t.Fatalf("len %d, bytes %d, charged %d; want %d, %d, %d", q.len(), q.bytes, q.charged(), len(model), bytes, len(model)-free)
	}
	for i, it := range q.waiting() {
		if it != model[i] {
			t.Fatalf("entry %d differs", i)
		}
	}
	// What was removed is let go of, and an empty queue holds little.
	for i, it := range q.items[:cap(q.items)] {
		if (i < q.head || i >= len(q.items)) && it != (item{}) {
			t.Fatalf("slot %d is still held", i)
		}
	}
	if len(model) == 0 && cap(q.items) > keepBacking {
		t.Fatalf("an empty queue holds %d entries", cap(q.items))
	}
	if cap(q.items) > 4*(len(model)+keepBacking) {
		t.Fatalf("%d entries for %d messages", cap(q.items), len(model))
	}
}

func TestQueueDoesNotGrowWhileItMoves(t *testing.T) {
	t.Parallel()
	var q queue
	for i := range 10_000 {
		q.push(item{msg: NewText(nil)})
		if i > 10 {
			q.pop()
		}
	}
	if d := cmp.Diff(11, q.len()); d != "" || cap(q.items) > 128 {
		t.Errorf("%s, capacity %d", d, cap(q.items))
	}
}
