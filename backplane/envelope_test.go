package backplane_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	rooms := func(n int) []string { return make([]string, n) }
	type env = backplane.Envelope
	for _, tt := range []struct {
		name   string
		limits backplane.Limits
		env    env
		want   backplane.LimitError // zero: within
	}{
		{"empty", backplane.Limits{}, env{}, backplane.LimitError{}},
		{"namespace at", backplane.Limits{}, env{Namespace: long(128)}, backplane.LimitError{}},
		{"namespace over", backplane.Limits{}, env{Namespace: long(129)}, backplane.LimitError{Limit: "Namespace", Max: 128, Got: 129}},
		{"room at", backplane.Limits{}, env{Target: backplane.Target{Rooms: []string{long(256)}}}, backplane.LimitError{}},
		{"room over", backplane.Limits{}, env{Target: backplane.Target{Rooms: []string{"r", long(257)}}}, backplane.LimitError{Limit: "Room", Max: 256, Got: 257}},
		{"except over", backplane.Limits{}, env{Target: backplane.Target{Except: []string{long(300)}}}, backplane.LimitError{Limit: "Room", Max: 256, Got: 300}},
		{"room set", backplane.Limits{Room: 4096}, env{Target: backplane.Target{Rooms: []string{long(4096)}}}, backplane.LimitError{}},
		{"room set too high", backplane.Limits{Room: 1 << 20}, env{Target: backplane.Target{Rooms: []string{long(4097)}}}, backplane.LimitError{Limit: "Room", Max: 4096, Got: 4097}},
		{"rooms at", backplane.Limits{}, env{Target: backplane.Target{Rooms: rooms(256), Except: rooms(256)}}, backplane.LimitError{}},
		{"rooms over", backplane.Limits{}, env{Target: backplane.Target{Rooms: rooms(257)}}, backplane.LimitError{Limit: "Targets", Max: 256, Got: 257}},
		{"excepts over", backplane.Limits{}, env{Target: backplane.Target{Except: rooms(257)}}, backplane.LimitError{Limit: "Targets", Max: 256, Got: 257}},
		{"payload at", backplane.Limits{Payload: 10}, env{Data: make([]byte, 4), Frames: protocol.Frames{Text: make([]byte, 4), Binary: [][]byte{{1}, {2}}}}, backplane.LimitError{}},
		{"payload over", backplane.Limits{Payload: 10}, env{Data: make([]byte, 4), Frames: protocol.Frames{Text: make([]byte, 4), Binary: [][]byte{{1}, {2, 3}}}}, backplane.LimitError{Limit: "Payload", Max: 10, Got: 11}},
		{"origin", backplane.Limits{}, env{Origin: long(65)}, backplane.LimitError{Limit: "ID", Max: 64, Got: 65}},
		{"key", backplane.Limits{}, env{Key: long(257)}, backplane.LimitError{Limit: "Key", Max: 256, Got: 257}},
		{"traceparent", backplane.Limits{}, env{Traceparent: long(129)}, backplane.LimitError{Limit: "Traceparent", Max: 128, Got: 129}},
		{"attachments", backplane.Limits{}, env{Frames: protocol.Frames{Binary: make([][]byte, 257)}}, backplane.LimitError{Limit: "Attachments", Max: 256, Got: 257}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got backplane.LimitError
			if e, ok := errors.AsType[*backplane.LimitError](tt.limits.Check(&tt.env)); ok {
				got = *e
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got.Limit != "" && strings.Contains(got.Error(), "backplane:  of") {
				t.Errorf("no words for it: %v", &got)
			}
		})
	}
}

func TestLimitsOfNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	for _, tt := range []struct {
		at    backplane.Address
		limit string
	}{
		{backplane.Room("/", long), ""},
		{backplane.Room("/", long+long), "Room"},
		{backplane.Room(long, "r"), "Namespace"},
		{backplane.Worker("/", long), "Event"},
		{backplane.Socket("/", long+long), "Room"},
	} {
		err := backplane.Limits{}.CheckName(tt.at)
		if e, ok := errors.AsType[*backplane.LimitError](err); ok != (tt.limit != "") || ok && e.Limit != tt.limit {
			t.Errorf("%s: %v", tt.at, err)
		}
	}
}

// Size is a bound on memory: nothing that grows may be left out of it.
func TestEnvelopeSize(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 1000)
	base := (&backplane.Envelope{}).Size()
	for name, e := range map[string]backplane.Envelope{
		"Origin":      {Origin: big},
		"Namespace":   {Namespace: big},
		"Rooms":       {Target: backplane.Target{Rooms: []string{big}}},
		"Except":      {Target: backplane.Target{Except: []string{big}}},
		"many rooms":  {Target: backplane.Target{Rooms: make([]string, 100)}},
		"Key":         {Key: big},
		"Text":        {Frames: protocol.Frames{Text: []byte(big)}},
		"Binary":      {Frames: protocol.Frames{Binary: [][]byte{[]byte(big)}}},
		"many":        {Frames: protocol.Frames{Binary: make([][]byte, 100)}},
		"Data":        {Data: []byte(big)},
		"Traceparent": {Traceparent: big},
	} {
		if n := e.Size() - base; n < 1000 {
			t.Errorf("%s adds %d", name, n)
		}
	}
}

func TestPartialError(t *testing.T) {
	t.Parallel()
	err := error(&backplane.PartialError{
		Missing: []string{"c", "d"},
		Failed:  []backplane.Failure{{Node: "b", Reason: backplane.ReasonDead}, {Reason: backplane.ReasonUnreachable}},
		Err:     context.DeadlineExceeded,
	})
	const want = "backplane: incomplete answer: b dead, anyone unreachable, c missing, d missing (context deadline exceeded)"
	if err.Error() != want {
		t.Errorf("%s\nwant %s", err, want)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("the cause is not wrapped")
	}
}

// Emitters in other languages compute the index too: it never changes.
func TestLogIndex(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ns   string
		n    int
		want int
	}{
		{"/", 0, 0}, {"/", 1, 0}, {"/", 4, 2}, {"/chat", 4, 0}, {"/chat", 7, 5}, {"", 16, 5},
	} {
		if got := backplane.LogIndex(tt.ns, tt.n); got != tt.want {
			t.Errorf("LogIndex(%q, %d) = %d, want %d", tt.ns, tt.n, got, tt.want)
		}
	}
	counts := make([]int, 8)
	for range 8000 {
		b := make([]byte, 12)
		for i := range b {
			b[i] = byte('a' + rand.IntN(26))
		}
		counts[backplane.LogIndex(string(b), len(counts))]++
	}
	for i, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("log %d gets %d of 8,000 namespaces", i, n)
		}
	}
}
