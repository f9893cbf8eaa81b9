package backplanetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

var fastTests = []test{
	{"OthersOnly", othersOnly, nil},
	{"WholeEnvelope", wholeEnvelope, nil},
	{"AnyName", anyName, nil},
	{"HomeWildcard", homeWildcard, nil},
	{"AnyNamespace", anyNamespace, nil},
	{"NodeAddress", nodeAddress, nil},
	{"OneOfSeveral", oneOfSeveral, nil},
	{"NobodyThere", nobodyThere, nil},
	{"RefusedAddresses", refusedAddresses, nil},
	{"Limits", limits, nil},
	{"Unsubscribe", unsubscribe, nil},
	{"UnsubscribeWhatWaits", unsubscribeWaiting, nil},
	{"SubscribedTwice", subscribedTwice, nil},
}

// othersOnly: everybody subscribed gets it once, except the publisher and those
// who did not ask.
func othersOnly(s *suite) {
	a, b, c := s.three()
	d := s.join("d")
	room, other := backplane.Room("/", "r"), backplane.Room("/", "other")
	at := map[string]*inbox{"a": s.subscribe(a, room), "b": s.subscribe(b, room), "c": s.subscribe(c, room), "d": s.subscribe(d, other)}
	for _, m := range []backplane.Backplane{b, c, d} {
		s.barrier(m, a)
	}
	s.publish(a, room, event(a, 1, "/"))
	at["b"].take(1)
	at["c"].take(1)
	for _, m := range []backplane.Backplane{b, c, d} {
		s.fence(a, m, "/")
	}
	s.fence(b, a, "/")
	for id, want := range map[string]int{"a": 0, "b": 1, "c": 1, "d": 0} {
		if got := at[id].all(); len(got) != want {
			s.Errorf("%s got %d deliveries, want %d", id, len(got), want)
		}
	}
}

// wholeEnvelope: every field arrives as it was.
func wholeEnvelope(s *suite) {
	a, b := s.join("a"), s.join("b")
	room := backplane.Room("/chat", "r")
	in := s.subscribe(b, room)
	s.barrier(b, a)
	env := &backplane.Envelope{
		Kind:      backplane.KindOperation,
		Op:        7,
		Flags:     backplane.FlagVolatile | backplane.FlagDegraded,
		Origin:    "a",
		ID:        1<<63 + 5,
		Namespace: "/chat",
		Target:    backplane.Target{Rooms: []string{"r", "", "é\x00"}, Except: []string{"x"}},
		Key:       "k",
		Frames: protocol.Frames{
			Text:   []byte("51-/chat,[\"e\",{\"_placeholder\":true,\"num\":0}]"),
			Binary: [][]byte{{0, 255, '\n'}},
		},
		Data:        []byte{1, 0, 2},
		Timeout:     1500 * time.Millisecond,
		Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	s.publish(a, room, env)
	got := in.take(1)[0]
	if diff := cmp.Diff(env, got.Envelope); diff != "" {
		s.Errorf("envelope changed (-sent +received):\n%s", diff)
	}
	if got.To != room || !got.Gap.IsZero() || got.Reply != nil {
		s.Errorf("To %v, Gap %v, Reply set %v", got.To, got.Gap, got.Reply != nil)
	}
}

// anyName: names are bytes. None of them reaches another's subscriber, however
// the implementation spells it on its wire.
// hostileNames mean something to somebody on the way, or look alike.
var hostileNames = []string{
	"", " ", "r", "R", "r.", ".r", "r.*", "*", ">", "r.>", "p", "pr", "all", "s", "q", "ctl", "a b", "a\tb", "a\r\nb",
	"$SYS.x", "#1", "/", "é", "e\u0301", "\x00", "\xff\xfe", "_", "-", strings.Repeat("x", backplane.DefaultRoom),
	strings.Repeat("y", 64), strings.Repeat("y", 65), strings.Repeat("é", 48), strings.Repeat("é", 49),
}

func anyName(s *suite) {
	a, b := s.join("a"), s.join("b")
	var addresses []backplane.Address
	for _, n := range hostileNames {
		for _, ns := range []string{"/", "/n", "/" + n} {
			if len(ns) <= backplane.DefaultNamespace && (ns != "/n" || n != "n") {
				addresses = append(addresses, backplane.Room(ns, n))
			}
		}
		if n != "" {
			addresses = append(addresses, backplane.Socket("/", n))
		}
	}
	inboxes := make(map[backplane.Address]*inbox)
	for _, at := range addresses {
		if inboxes[at] == nil {
			inboxes[at] = s.subscribe(b, at)
		}
	}
	s.barrier(b, a)
	id := uint64(0)
	sent := make(map[backplane.Address]uint64)
	for at := range inboxes {
		id++
		sent[at] = id
		s.publish(a, at, event(a, id, at.Namespace))
	}
	for at, in := range inboxes {
		in.take(1)
		s.fence(a, b, at.Namespace)
		if got := in.all(); len(got) != 1 || got[0].Envelope.ID != sent[at] || got[0].To != at {
			s.Errorf("%s got %d deliveries, the first to %s", at, len(got), got[0].To)
		}
	}
}

// homeWildcard: one subscription gets what is sent to the ids of a home, in
// every namespace, and nothing else.
func homeWildcard(s *suite) {
	a, b, c := s.three()
	home := s.subscribe(b, backplane.Home("tokenB"))
	guest := s.subscribe(c, backplane.Socket("/x", "tokenBguest"))
	s.barrier(b, a)
	s.barrier(c, a)
	sids := []backplane.Address{
		backplane.Socket("/", "tokenB0123456789"),
		backplane.Socket("/x", "tokenBguest"),
		backplane.Socket("/chat", "/chat#tokenBabc"),
		backplane.Socket("/", "tokenB"),
	}
	others := []backplane.Address{
		backplane.Socket("/", "tokenC0123456789"),
		backplane.Socket("/", "token"),
		backplane.Socket("/", "tokenB#tokenCxyz"),
		backplane.Room("/", "tokenB0123456789"),
	}
	for i, at := range append(sids, others...) {
		s.publish(a, at, event(a, uint64(i), at.Namespace))
	}
	for _, ns := range []string{"/", "/x", "/chat"} {
		s.fence(a, b, ns)
	}
	s.fence(a, c, "/x")
	seen := make(map[backplane.Address]int)
	for _, d := range home.all() {
		seen[d.To]++
	}
	for _, at := range sids {
		if seen[at] != 1 {
			s.Errorf("%s came %d times", at, seen[at])
		}
		delete(seen, at)
	}
	if len(seen) > 0 {
		s.Errorf("others came too: %v", seen)
	}
	if got := guest.all(); len(got) != 1 {
		s.Errorf("the guest's node got %d deliveries", len(got))
	}
}

// anyNamespace: the scopes that allow it are subscribed for all namespaces.
func anyNamespace(s *suite) {
	a, b := s.join("a"), s.join("b")
	for _, scope := range []func(string) backplane.Address{backplane.Namespace, backplane.Requests, backplane.Gateway} {
		in := s.subscribe(b, scope(backplane.AnyNamespace))
		s.barrier(b, a)
		for i, ns := range []string{"/", "/a.b", "/*"} {
			s.publish(a, scope(ns), event(a, uint64(i), ns))
		}
		for _, d := range in.take(3) {
			if d.To != scope(d.Envelope.Namespace) {
				s.Errorf("%s came to %s", d.Envelope.Namespace, d.To)
			}
		}
	}
}

func nodeAddress(s *suite) {
	a, b, c := s.three()
	toB, toC := s.subscribe(b, backplane.Node("b")), s.subscribe(c, backplane.Node("c"))
	s.barrier(b, a)
	s.barrier(c, a)
	s.publish(a, backplane.Node("b"), event(a, 1, ""))
	s.publish(a, backplane.Node("c"), event(a, 2, ""))
	if got := numbers(toB.take(1), "a"); got[0] != 1 {
		s.Errorf("b got %v", got)
	}
	if got := numbers(toC.take(1), "a"); got[0] != 2 {
		s.Errorf("c got %v", got)
	}
	if _, err := b.Subscribe(backplane.Node("c"), func(backplane.Delivery) {}); !errors.Is(err, backplane.ErrAddress) {
		s.Errorf("subscribing another node's address: %v", err)
	}
}

// oneOfSeveral: each envelope to a gateway or worker reaches exactly one.
func oneOfSeveral(s *suite) {
	a, b, c := s.three()
	for _, at := range []backplane.Address{backplane.Gateway("/"), backplane.Worker("/", "event")} {
		own, atB, atC := s.subscribe(a, at), s.subscribe(b, at), s.subscribe(c, at)
		s.barrier(b, a)
		s.barrier(c, a)
		const n = 50
		for i := range n {
			s.publish(a, at, event(a, uint64(i), "/"))
		}
		s.fence(a, b, "/")
		s.fence(a, c, "/")
		seen := make(map[uint64]int)
		for _, in := range []*inbox{atB, atC} {
			for _, id := range numbers(in.all(), "a") {
				seen[id]++
			}
		}
		for i := range n {
			if seen[uint64(i)] != 1 {
				s.Errorf("%s: %d came %d times", at, i, seen[uint64(i)])
			}
		}
		if got := own.all(); len(got) > 0 {
			s.Errorf("%s: the publisher got %d", at, len(got))
		}
	}
}

func nobodyThere(s *suite) {
	a := s.join("a")
	for _, at := range []backplane.Address{
		backplane.Room("/", "r"), backplane.Socket("/", "tokenB1"), backplane.Namespace("/"), backplane.Requests("/"),
		backplane.Node("b"), backplane.Gateway("/"), backplane.Worker("/", "e"),
	} {
		s.publish(a, at, event(a, 1, "/"))
	}
}

func refusedAddresses(s *suite) {
	a := s.join("a")
	never := func(d backplane.Delivery) { s.Errorf("delivery to %s", d.To) }
	for _, at := range []backplane.Address{{}, {Scope: 200}, backplane.Home("toolong"), backplane.Socket("/", ""), backplane.Room("", "r")} {
		if err := a.Publish(s.ctx, at, event(a, 1, "/")); !errors.Is(err, backplane.ErrAddress) {
			s.Errorf("publish to %s: %v", at, err)
		}
		if _, err := a.Subscribe(at, never); !errors.Is(err, backplane.ErrAddress) {
			s.Errorf("subscribe %s: %v", at, err)
		}
	}
	for _, at := range []backplane.Address{backplane.Home("tokenA"), backplane.Requests(backplane.AnyNamespace)} {
		if err := a.Publish(s.ctx, at, event(a, 1, "/")); !errors.Is(err, backplane.ErrAddress) {
			s.Errorf("publish to %s: %v", at, err)
		}
	}
}

func limits(s *suite) {
	a := s.join("a")
	big := event(a, 1, "/")
	big.Data = make([]byte, max(s.f.Limits.Payload, backplane.DefaultPayload)+1)
	many := event(a, 1, "/")
	many.Target.Rooms = make([]string, max(s.f.Limits.Targets, backplane.DefaultTargets)+1)
	long := strings.Repeat("r", backplane.MaxRoom+1)
	for _, tt := range []struct {
		limit string
		to    backplane.Address
		env   *backplane.Envelope
	}{
		{"Payload", backplane.Namespace("/"), big},
		{"Targets", backplane.Namespace("/"), many},
		{"Room", backplane.Room("/", long), event(a, 1, "/")},
	} {
		err := a.Publish(s.ctx, tt.to, tt.env)
		limit, ok := errors.AsType[*backplane.LimitError](err)
		if !ok || limit.Limit != tt.limit || limit.Got <= limit.Max {
			s.Errorf("%s: %v", tt.limit, err)
		}
	}
}

func unsubscribe(s *suite) {
	a, b := s.join("a"), s.join("b")
	room := backplane.Room("/", "r")
	for i := range 20 {
		in := s.subscribe(b, room)
		s.barrier(b, a)
		s.publish(a, room, event(a, uint64(i), "/"))
		in.take(1)
		in.sub.Close()
		in.sub.Close()
		s.publish(a, room, event(a, 999, "/"))
		s.fence(a, b, "/")
		if got := numbers(in.all(), "a"); fmt.Sprint(got) != fmt.Sprint([]uint64{uint64(i)}) {
			s.Errorf("round %d: %v", i, got)
		}
	}
}

// unsubscribeWaiting: what waits for a subscription is not delivered after its
// end.
func unsubscribeWaiting(s *suite) {
	a, b := s.join("a"), s.join("b")
	inside, release := make(chan struct{}), make(chan struct{})
	s.answer(b, backplane.Room("/", "slow"), func(backplane.Delivery) {
		close(inside)
		<-release
	})
	in := s.subscribe(b, backplane.Room("/", "r"))
	s.barrier(b, a)
	s.publish(a, backplane.Room("/", "slow"), event(a, 1, "/"))
	s.publish(a, backplane.Room("/", "r"), event(a, 2, "/")) // behind the slow one
	<-inside
	in.sub.Close()
	close(release)
	s.fence(a, b, "/")
	if n := len(in.all()); n > 0 {
		s.Errorf("%d deliveries after Close", n)
	}
}

func subscribedTwice(s *suite) {
	a := s.join("a")
	room := backplane.Room("/", "r")
	first := s.subscribe(a, room)
	if _, err := a.Subscribe(room, first.handle); !errors.Is(err, backplane.ErrSubscribed) {
		s.Errorf("second subscription: %v", err)
	}
	first.sub.Close()
	second := s.subscribe(a, room)
	first.sub.Close() // must not end the second one
	if _, err := a.Subscribe(room, first.handle); !errors.Is(err, backplane.ErrSubscribed) {
		s.Errorf("an old Close ended a new subscription: %v", err)
	}
	second.sub.Close()
}
