package natsio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

func newRequest(most int, due ...string) *request {
	r := &request{
		most:      most,
		mostBytes: 1 << 20,
		wake:      make(chan struct{}, 1),
		due:       make(map[string]struct{}),
		got:       make(map[string]uint64),
		done:      make(map[string]struct{}),
	}
	for _, id := range due {
		r.due[id] = struct{}{}
	}
	return r
}

func replyFrom(node, data string) *wire.Message {
	m := &wire.Message{Sender: node}
	m.Kind, m.Data = backplane.KindReply, []byte(data)
	return m
}

func finalFrom(node string, replies uint64) *wire.Message {
	return &wire.Message{Sender: node, Final: true, Replies: replies}
}

func alive(string) bool { return false }

// TestRequestOutcome feeds a request what can come to it.
func TestRequestOutcome(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	fail := func(node string, why backplane.Reason) []backplane.Failure {
		return []backplane.Failure{{Node: node, Reason: why}}
	}
	for _, tt := range []struct {
		name  string
		r     *request
		feed  func(*request)
		want  []string // replies, as node:data
		error *backplane.PartialError
	}{{
		name: "all answer",
		r:    newRequest(9, "a", "b"),
		feed: func(r *request) {
			r.reply(replyFrom("a", "1"))
			r.reply(finalFrom("b", 1))
			r.reply(finalFrom("a", 2))
		},
		want: []string{"a:1", "b!", "a!"},
	}, {
		name:  "a reply is lost",
		r:     newRequest(9, "a"),
		feed:  func(r *request) { r.reply(replyFrom("a", "2")); r.reply(finalFrom("a", 3)) },
		want:  []string{"a:2", "a!"},
		error: &backplane.PartialError{Failed: fail("a", backplane.ReasonLost)},
	}, {
		name:  "a reply of a newcomer is lost",
		r:     newRequest(9, "a"),
		feed:  func(r *request) { r.reply(finalFrom("new", 2)); r.reply(finalFrom("a", 1)) },
		want:  []string{"new!", "a!"},
		error: nil,
	}, {
		name: "after the final reply",
		r:    newRequest(9, "a", "b"),
		feed: func(r *request) {
			r.reply(finalFrom("a", 1))
			r.reply(replyFrom("a", "late"))
			r.reply(finalFrom("a", 1))
			r.reply(finalFrom("b", 1))
		},
		want: []string{"a!", "b!"},
	}, {
		name: "more than may wait",
		r:    newRequest(2, "a", "b"),
		feed: func(r *request) {
			r.reply(replyFrom("a", "1"))
			r.reply(replyFrom("a", "2"))
			r.reply(replyFrom("a", "3"))
			r.dead("b")
		},
		want: []string{"a:1", "a:2"},
		error: &backplane.PartialError{Failed: []backplane.Failure{
			{Node: "a", Reason: backplane.ReasonLost}, {Node: "b", Reason: backplane.ReasonDead},
		}},
	}, {
		name: "more bytes than may wait",
		r:    newRequest(9, "a"),
		feed: func(r *request) {
			r.reply(replyFrom("a", strings.Repeat("x", 700<<10)))
			r.reply(replyFrom("a", strings.Repeat("y", 700<<10)))
		},
		want:  []string{"a:" + strings.Repeat("x", 700<<10)},
		error: &backplane.PartialError{Failed: fail("a", backplane.ReasonLost)},
	}, {
		name:  "nobody is there",
		r:     newRequest(9, "b", "a"),
		feed:  func(r *request) { r.refused(func(id string) bool { return id == "b" }) },
		error: &backplane.PartialError{Failed: []backplane.Failure{{Node: "a", Reason: backplane.ReasonUnreachable}, {Node: "b", Reason: backplane.ReasonDead}}},
	}, {
		name:  "no worker is there",
		r:     newRequest(9, anyone),
		feed:  func(r *request) { r.refused(alive) },
		error: &backplane.PartialError{Failed: fail("", backplane.ReasonUnreachable)},
	}, {
		name: "a worker with a name",
		r:    newRequest(9, anyone),
		feed: func(r *request) { r.reply(replyFrom("w", "1")); r.reply(finalFrom("w", 2)) },
		want: []string{"w:1", "w!"},
	}, {
		name: "a worker without a name",
		r:    newRequest(9, anyone),
		feed: func(r *request) { r.reply(replyFrom("", "1")); r.reply(finalFrom("", 2)) },
		want: []string{":1", "!"},
	}, {
		name:  "a worker dies in between",
		r:     newRequest(9, anyone),
		feed:  func(r *request) { r.reply(replyFrom("w", "1")); r.dead("w") },
		want:  []string{"w:1"},
		error: &backplane.PartialError{Failed: fail("w", backplane.ReasonDead)},
	}, {
		name:  "somebody else dies",
		r:     newRequest(9, "a"),
		feed:  func(r *request) { r.dead("b"); r.reply(finalFrom("a", 1)) },
		want:  []string{"a!"},
		error: nil,
	}, {
		name:  "the context ends",
		r:     newRequest(9, "a", "b", "c"),
		feed:  func(r *request) { r.reply(finalFrom("b", 1)) },
		want:  []string{"b!"},
		error: &backplane.PartialError{Missing: []string{"a", "c"}, Err: context.Canceled},
	}, {
		name:  "the backplane closes",
		r:     newRequest(9, "a"),
		feed:  func(r *request) { r.end() },
		error: &backplane.PartialError{Missing: []string{"a"}, Err: backplane.ErrClosed},
	}} {
		tt.feed(tt.r)
		replies, over := tt.r.next(ended)
		var got []string
		for _, r := range replies {
			s := r.Node
			if r.Envelope != nil {
				s += ":" + string(r.Envelope.Data)
			}
			if r.Final {
				s += "!"
			}
			got = append(got, s)
		}
		if !slices.Equal(got, tt.want) || !over {
			t.Errorf("%s: replies %.200q, over %v", tt.name, got, over)
		}
		err := tt.r.partial(ended.Err())
		if tt.error == nil {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		partial, ok := errors.AsType[*backplane.PartialError](err)
		if !ok {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(fmt.Sprintf("%+v", *tt.error), fmt.Sprintf("%+v", *partial)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
