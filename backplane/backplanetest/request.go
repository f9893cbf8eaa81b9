package backplanetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/backplane"
)

var requestTests = []test{
	{"AllOfRoster", requestAll, nil},
	{"SeveralReplies", requestSeveral, nil},
	{"ReplyLater", requestReplyLater, nil},
	{"FinalWithoutEnvelope", requestFinalOnly, nil},
	{"AfterFinal", requestAfterFinal, nil},
	{"OneNode", requestOneNode, nil},
	{"OneOfSeveral", requestOneOfSeveral, nil},
	{"GatewayOnce", requestGateway, nil},
	{"Unreachable", requestUnreachable, nil},
	{"NobodyToWaitFor", requestNobody, nil},
	{"NewcomerAnswers", requestNewcomer, nil},
	{"Missing", requestMissing, nil},
	{"NodeDown", requestNodeDown, nil},
	{"Killed", requestKilled, canKill},
	{"KilledInTheMiddle", requestKilledBetween, canKill},
	{"Frozen", requestFrozen, canFreeze},
	{"FrozenReply", requestFrozenReply, canFreeze},
	{"Refused", requestRefused, nil},
	{"LazyAndAbandoned", requestAbandoned, nil},
	{"InOrderWithPublish", requestInOrder, nil},
}

// answers are the outcome of a request.
type answers struct {
	data  map[string][]string // by node
	final map[string]int
	err   error
}

// ask ranges over a request.
func (s *suite) ask(ctx context.Context, from backplane.Backplane, to backplane.Address, roster ...string) answers {
	s.Helper()
	a := answers{data: make(map[string][]string), final: make(map[string]int)}
	env := &backplane.Envelope{Kind: backplane.KindOperation, Origin: from.ID(), Namespace: to.Namespace}
	for r, err := range from.Request(ctx, to, env, roster) {
		if a.err != nil {
			s.Errorf("a pair came after the error %v", a.err)
		}
		if err != nil {
			a.err = err
			continue
		}
		if r.Envelope != nil {
			a.data[r.Node] = append(a.data[r.Node], string(r.Envelope.Data))
		}
		if r.Final {
			a.final[r.Node]++
		}
	}
	return a
}

// echo answers requests with the node's id, n times.
func (s *suite) echo(b backplane.Backplane, at backplane.Address, n int) {
	s.Helper()
	s.answer(b, at, func(d backplane.Delivery) {
		if d.Reply == nil {
			s.Errorf("a request came without Reply")
			return
		}
		for i := range n {
			if err := d.Reply(reply(b, fmt.Sprintf("%s%d", b.ID(), i)), i == n-1); err != nil {
				s.Errorf("reply: %v", err)
			}
		}
	})
}

func (a answers) partial(s *suite) *backplane.PartialError {
	s.Helper()
	p, ok := errors.AsType[*backplane.PartialError](a.err)
	if !ok {
		s.Fatalf("ended with %v, want a *PartialError", a.err)
	}
	return p
}

var everyone = backplane.Requests(backplane.AnyNamespace)

func requestAll(s *suite) {
	a, b, c := s.three()
	s.answer(a, everyone, func(backplane.Delivery) { s.Error("it asked itself") })
	s.echo(b, everyone, 1)
	s.echo(c, everyone, 1)
	s.barrier(b, a)
	s.barrier(c, a)
	got := s.ask(s.ctx, a, backplane.Requests("/never heard of"), "a", "b", "c")
	if got.err != nil || fmt.Sprint(got.data) != "map[b:[b0] c:[c0]]" || got.final["b"] != 1 || got.final["c"] != 1 {
		s.Errorf("%+v", got)
	}
}

func requestSeveral(s *suite) {
	a, b, c := s.three()
	const n = 500
	s.echo(b, everyone, n)
	s.echo(c, everyone, 1)
	s.barrier(b, a)
	s.barrier(c, a)
	got := s.ask(s.ctx, a, backplane.Requests("/"), "b", "c")
	if got.err != nil || len(got.data["b"]) != n || len(got.data["c"]) != 1 {
		s.Fatalf("%d and %d replies, %v", len(got.data["b"]), len(got.data["c"]), got.err)
	}
	for i, d := range got.data["b"] {
		if d != fmt.Sprintf("b%d", i) {
			s.Fatalf("reply %d is %s", i, d)
		}
	}
}

// requestReplyLater: Reply may be used after the handler returned.
func requestReplyLater(s *suite) {
	a, b := s.join("a"), s.join("b")
	later := make(chan backplane.Delivery, 1)
	s.answer(b, everyone, func(d backplane.Delivery) { later <- d })
	s.barrier(b, a)
	failed := make(chan error, 1)
	go func() {
		d := <-later
		failed <- errors.Join(d.Reply(reply(b, "1"), false), d.Reply(reply(b, "2"), true))
	}()
	got := s.ask(s.ctx, a, backplane.Requests("/"), "b")
	if err := <-failed; err != nil || got.err != nil || fmt.Sprint(got.data["b"]) != "[1 2]" {
		s.Errorf("%+v, %v", got, err)
	}
}

func requestFinalOnly(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.answer(b, everyone, func(d backplane.Delivery) { s.check(d.Reply(nil, true)) })
	s.barrier(b, a)
	if got := s.ask(s.ctx, a, backplane.Requests("/"), "b"); got.err != nil || len(got.data) > 0 || got.final["b"] != 1 {
		s.Errorf("%+v", got)
	}
}

// requestAfterFinal: what is replied after the final reply goes nowhere.
func requestAfterFinal(s *suite) {
	a, b, c := s.three()
	release := make(chan struct{})
	s.answer(b, everyone, func(d backplane.Delivery) {
		s.check(d.Reply(reply(b, "last"), true))
		s.check(d.Reply(reply(b, "late"), false))
		s.check(d.Reply(reply(b, "late"), true))
		close(release)
	})
	s.answer(c, everyone, func(d backplane.Delivery) {
		go func() {
			<-release
			s.check(d.Reply(nil, true))
		}()
	})
	s.barrier(b, a)
	s.barrier(c, a)
	if got := s.ask(s.ctx, a, backplane.Requests("/"), "b", "c"); got.err != nil || fmt.Sprint(got.data["b"]) != "[last]" || got.final["b"] != 1 {
		s.Errorf("%+v", got)
	}
}

func requestOneNode(s *suite) {
	a, b, c := s.three()
	s.echo(b, backplane.Node("b"), 2)
	s.answer(c, backplane.Node("c"), func(backplane.Delivery) { s.Error("another node was asked") })
	s.barrier(b, a)
	s.barrier(c, a)
	got := s.ask(s.ctx, a, backplane.Node("b"))
	if got.err != nil || fmt.Sprint(got.data) != "map[b:[b0 b1]]" {
		s.Errorf("%+v", got)
	}
}

func requestOneOfSeveral(s *suite) {
	a, b, c := s.three()
	at := backplane.Worker("/", "e")
	s.echo(b, at, 1)
	s.echo(c, at, 1)
	s.barrier(b, a)
	s.barrier(c, a)
	for range 10 {
		if got := s.ask(s.ctx, a, at); got.err != nil || len(got.data) != 1 {
			s.Errorf("%s: %+v", at, got)
		}
	}
}

// requestGateway: what is sent to any node comes to one of those that serve it,
// whether or not a member is answered there.
func requestGateway(s *suite) {
	a, b, c := s.three()
	at := backplane.Gateway("/")
	var came atomic.Int64
	for _, m := range []backplane.Backplane{b, c} {
		s.answer(m, at, func(d backplane.Delivery) {
			came.Add(1)
			if d.Reply != nil {
				s.check(d.Reply(reply(m, ""), true))
			}
		})
		s.barrier(m, a)
	}
	const n = 10
	for range n {
		s.ask(s.within(20*time.Millisecond), a, at)
	}
	for came.Load() < n && s.ctx.Err() == nil {
		s.check(a.Healthy(s.ctx)) // lets others run
	}
	s.barrier(a, b)
	s.barrier(a, c)
	if got := came.Load(); got != n {
		s.Errorf("%d requests came %d times", n, got)
	}
}

// requestUnreachable: an address that nobody took ends at once.
func requestUnreachable(s *suite) {
	a := s.join("a")
	s.join("b") // is there, and subscribes nothing
	for _, at := range []backplane.Address{backplane.Node("b"), backplane.Gateway("/"), backplane.Worker("/", "e")} {
		got := s.ask(s.ctx, a, at)
		p := got.partial(s)
		if len(p.Missing) > 0 || len(p.Failed) != 1 || p.Failed[0].Reason != backplane.ReasonUnreachable || p.Err != nil {
			s.Errorf("%s: %+v", at, p)
		}
		if at.Scope == backplane.ScopeNode && p.Failed[0].Node != "b" {
			s.Errorf("the node is named %q", p.Failed[0].Node)
		}
	}
}

// requestNobody: with nobody to wait for, the request is sent and ends.
func requestNobody(s *suite) {
	a, b := s.join("a"), s.join("b")
	in := s.subscribe(b, everyone)
	s.barrier(b, a)
	for _, roster := range [][]string{nil, {}, {"a"}} {
		if got := s.ask(s.ctx, a, backplane.Requests("/"), roster...); got.err != nil {
			s.Errorf("roster %q: %+v", roster, got)
		}
	}
	in.take(3)
}

// requestNewcomer: answers of nodes that are not in the roster are welcome.
func requestNewcomer(s *suite) {
	a, b, c := s.three()
	answered := make(chan struct{})
	s.answer(c, everyone, func(d backplane.Delivery) {
		s.check(d.Reply(reply(c, "new"), true))
		close(answered)
	})
	s.answer(b, everyone, func(d backplane.Delivery) {
		go func() {
			<-answered
			s.check(d.Reply(nil, true))
		}()
	})
	s.barrier(b, a)
	s.barrier(c, a)
	env := event(a, 1, "/")
	var nodes []string
	for r, err := range a.Request(s.ctx, backplane.Requests("/"), env, []string{"b"}) {
		s.check(err)
		nodes = append(nodes, r.Node)
	}
	// c answered before b did, but on a way of its own.
	if !slices.Contains(nodes, "b") || strings.Count(strings.Join(nodes, ""), "c") > 1 {
		s.Errorf("replies from %v", nodes)
	}
}

// requestRefused: what cannot be sent gives one error, without a reply.
func requestRefused(s *suite) {
	a := s.join("a")
	big := event(a, 1, "/")
	big.Data = make([]byte, max(s.f.Limits.Payload, backplane.DefaultPayload)+1)
	if most := backplane.MaxPayload(a); most < math.MaxInt {
		big.Data = make([]byte, most+1-big.Frames.Size())
		fits := event(a, 1, "/")
		fits.Data = big.Data[1:]
		if err := a.Publish(s.ctx, backplane.Requests("/"), fits); err != nil {
			s.Errorf("an envelope as large as may be: %v", err)
		}
	}
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		to   backplane.Address
		env  *backplane.Envelope
		want error
	}{
		{"no deadline", context.Background(), backplane.Requests("/"), event(a, 1, "/"), backplane.ErrNoDeadline},
		{"room", s.ctx, backplane.Room("/", "r"), event(a, 1, "/"), backplane.ErrAddress},
		{"socket", s.ctx, backplane.Socket("/", "homeOfA"), event(a, 1, "/"), backplane.ErrAddress},
		{"home", s.ctx, backplane.Home("homeOf"), event(a, 1, "/"), backplane.ErrAddress},
		{"over a limit", s.ctx, backplane.Requests("/"), big, nil},
		{"ended context", ended, backplane.Requests("/"), event(a, 1, "/"), context.Canceled},
	} {
		pairs := 0
		for r, err := range a.Request(tt.ctx, tt.to, tt.env, []string{"b"}) {
			pairs++
			_, limit := errors.AsType[*backplane.LimitError](err)
			if r != (backplane.Reply{}) || tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && !limit {
				s.Errorf("%s: %+v, %v", tt.name, r, err)
			}
		}
		if pairs != 1 {
			s.Errorf("%s: %d pairs", tt.name, pairs)
		}
	}
}

// requestAbandoned: nothing is sent before the loop, and leaving it early is
// fine for both sides.
func requestAbandoned(s *suite) {
	a, b := s.join("a"), s.join("b")
	in := s.subscribe(b, everyone)
	s.barrier(b, a)
	seq := a.Request(s.ctx, backplane.Requests("/"), event(a, 1, "/"), []string{"b"})
	s.fence(a, b, "/")
	if n := len(in.all()); n != 0 {
		s.Fatalf("%d requests were sent without a loop", n)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range seq {
			break
		}
	}()
	d := in.take(1)[0]
	s.check(d.Reply(reply(b, "1"), false))
	<-done
	s.check(d.Reply(reply(b, "2"), false))
	s.check(d.Reply(reply(b, "3"), true))
}

// requestInOrder: requests and publications of one node in a namespace arrive
// in its order.
func requestInOrder(s *suite) {
	a, b := s.join("a"), s.join("b")
	var got arrivals
	s.answer(b, backplane.Room("/", "r"), got.handle)
	s.answer(b, everyone, func(d backplane.Delivery) {
		got.handle(d)
		s.check(d.Reply(nil, true))
	})
	s.barrier(b, a)
	var want []uint64
	for i := range uint64(100) {
		want = append(want, 2*i, 2*i+1)
		s.publish(a, backplane.Room("/", "r"), event(a, 2*i, "/"))
		for _, err := range a.Request(s.ctx, backplane.Requests("/"), event(a, 2*i+1, "/"), []string{"b"}) {
			s.check(err)
		}
	}
	s.fence(a, b, "/")
	if have := got.take().of("a", "/"); !slices.Equal(have, want) {
		s.Errorf("arrived %v", have)
	}
}
