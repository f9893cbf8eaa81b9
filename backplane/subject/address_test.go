package subject_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

func TestFast(t *testing.T) {
	t.Parallel()
	s := space(t)
	for _, tt := range []struct {
		to   backplane.Address
		want string
	}{
		{backplane.Room("/chat", "lobby"), "sio.siod.f.nchat." + subject.ShardOf("lobby") + ".plobby"},
		{backplane.Room("/", ""), "sio.siod.f.n." + subject.ShardOf("") + ".p"},
		{backplane.Room("/", "all"), "sio.siod.f.n." + subject.ShardOf("all") + ".pall"},
		{backplane.Socket("/", "tokenA0123"), "sio.siod.f.n.s.ptokenA.ptokenA0123"},
		{backplane.Socket("/chat", "/chat#tokenA0123"), "sio.siod.f.nchat.s.ptokenA.bL2NoYXQjdG9rZW5BMDEyMw"},
		{backplane.Socket("/", "short"), "sio.siod.f.n.s.p.pshort"},
		{backplane.Socket("/", "*.>. x"), "sio.siod.f.n.s.bKi4-LiB4.bKi4-LiB4"},
		{backplane.Namespace("/chat"), "sio.siod.f.nchat.all"},
		{backplane.Requests("/"), "sio.siod.q.n"},
		{backplane.Node("bootA"), "sio.siod.n.pbootA"},
		{backplane.Gateway("/chat"), "sio.siod.g.nchat"},
		{backplane.Worker("/chat", "new order"), "sio.siod.h.nchat.bbmV3IG9yZGVy"},
	} {
		got, err := s.Fast(tt.to)
		if err != nil || got != tt.want {
			t.Errorf("%s: %s, %v, want %s", tt.to, got, err, tt.want)
		}
		queue := ""
		if tt.to.Scope == backplane.ScopeGateway || tt.to.Scope == backplane.ScopeWorker {
			queue = "sio"
		}
		sub, group, err := s.Subscribe(tt.to)
		if err != nil || sub != tt.want || group != queue {
			t.Errorf("subscribe %s: %s in %q, %v", tt.to, sub, group, err)
		}
	}
}

func TestSubscribeWildcards(t *testing.T) {
	t.Parallel()
	s := space(t)
	for _, tt := range []struct {
		at          backplane.Address
		want, queue string
	}{
		{backplane.Home("tokenA"), "sio.siod.f.*.s.ptokenA.*", ""},
		{backplane.Home("a.*.> "), "sio.siod.f.*.s.bYS4qLj4g.*", ""},
		{backplane.Namespace(backplane.AnyNamespace), "sio.siod.f.*.all", ""},
		{backplane.Requests(backplane.AnyNamespace), "sio.siod.q.*", ""},
		{backplane.Gateway(backplane.AnyNamespace), "sio.siod.g.*", "sio"},
	} {
		got, queue, err := s.Subscribe(tt.at)
		if err != nil || got != tt.want || queue != tt.queue {
			t.Errorf("%s: %s in %q, %v, want %s in %q", tt.at, got, queue, err, tt.want, tt.queue)
		}
	}
}

func TestDurable(t *testing.T) {
	t.Parallel()
	s := space(t)
	for _, tt := range []struct {
		to   backplane.Address
		want string
	}{
		{backplane.Room("/chat", "lobby"), "nchat." + subject.ShardOf("lobby") + ".plobby"},
		{backplane.Socket("/", "tokenA0123"), "n.s.ptokenA.ptokenA0123"},
		{backplane.Namespace("/a b"), "bL2EgYg.all"},
	} {
		in, err := s.Ingest(3, tt.to)
		if err != nil || in != "sio.siod.i.3."+tt.want {
			t.Errorf("%s: %s, %v", tt.to, in, err)
		}
		out, err := s.Delivery(3, tt.to)
		if err != nil || out != "sio.siod.d.3."+tt.want {
			t.Errorf("%s: %s, %v", tt.to, out, err)
		}
	}
}

func TestRefusedAddresses(t *testing.T) {
	t.Parallel()
	s := space(t)
	for _, at := range []backplane.Address{
		{}, {Scope: 99, Namespace: "/", Name: "x"}, backplane.Room("", "r"), backplane.Socket("/", ""), backplane.Socket("", "tokenAx"),
		backplane.Node(""), backplane.Worker("/", ""), backplane.Worker("", "e"), {Scope: backplane.ScopeNamespace, Namespace: "/", Name: "x"},
		{Scope: backplane.ScopeHome, Namespace: "/", Name: "tokenA"}, backplane.Home("short"), backplane.Home(""),
	} {
		if got, err := s.Fast(at); !errors.Is(err, backplane.ErrAddress) || got != "" {
			t.Errorf("fast %s: %q, %v", at, got, err)
		}
		if got, queue, err := s.Subscribe(at); !errors.Is(err, backplane.ErrAddress) || got != "" || queue != "" {
			t.Errorf("subscribe %s: %q, %q, %v", at, got, queue, err)
		}
	}
	for _, to := range []backplane.Address{
		{}, backplane.Home("tokenA"), backplane.Requests("/"), backplane.Node("a"), backplane.Gateway("/"), backplane.Worker("/", "e"),
		backplane.Namespace(""), backplane.Room("", "r"),
	} {
		if got, err := s.Ingest(0, to); !errors.Is(err, backplane.ErrAddress) || got != "" {
			t.Errorf("ingest %s: %q, %v", to, got, err)
		}
	}
	for _, log := range []int{-1, -1 << 63} {
		if got, err := s.Ingest(log, backplane.Namespace("/")); !errors.Is(err, backplane.ErrAddress) || got != "" {
			t.Errorf("log %d: %q, %v", log, got, err)
		}
	}
}

// Every name, as a namespace and as a room, a socket, an event and a node: the
// subject is one that NATS takes, it is short, nobody else has it, and it says
// where it leads.
func TestEveryName(t *testing.T) {
	t.Parallel()
	s, err := subject.New(strings.Repeat("c", subject.MaxCluster))
	if err != nil {
		t.Fatal(err)
	}
	of := make(map[string]backplane.Address)
	for _, ns := range names {
		for _, name := range names {
			for _, to := range []backplane.Address{
				backplane.Room(ns, name), backplane.Socket(ns, name), backplane.Worker(ns, name),
				backplane.Namespace(ns), backplane.Requests(ns), backplane.Gateway(ns), backplane.Node(name),
			} {
				if to.CheckPublish() != nil {
					continue
				}
				sub := checkFast(t, s, to)
				if other, ok := of[sub]; ok && other != to {
					t.Fatalf("%s is both %s and %s", sub, to, other)
				}
				of[sub] = to
			}
		}
	}
}

func checkFast(t rapid.TB, s subject.Space, to backplane.Address) string {
	t.Helper()
	sub, err := s.Fast(to)
	if err != nil || !publishable(sub) {
		t.Fatalf("%s: %q, %v", to, sub, err)
	}
	p, err := s.Parse(sub)
	if err != nil || p.Scope != to.Scope {
		t.Fatalf("%s: %q is read as %+v, %v", to, sub, p, err)
	}
	if got, err := p.Address(to.Namespace, to.Name); err != nil || got != to {
		t.Fatalf("%s: %q is read as %s, %v", to, sub, got, err)
	}
	return sub
}

// NATS delivers to exactly the subscriptions that the addresses say.
func TestPropertyRouting(t *testing.T) {
	t.Parallel()
	s := space(t)
	rapid.Check(t, func(t *rapid.T) {
		at, to := anyAddress().Draw(t, "at"), anyAddress().Draw(t, "to")
		if rapid.Bool().Draw(t, "related") { // else they rarely have anything in common
			to = relative(t, at)
		}
		if rapid.Bool().Draw(t, "everywhere") && at.CheckSubscribe(at.Name) == nil && at.Name == "" && at.Scope != backplane.ScopeRoom {
			at.Namespace = backplane.AnyNamespace
		}
		sub, _, errSub := s.Subscribe(at)
		if (errSub == nil) != (at.CheckSubscribe(at.Name) == nil) {
			t.Fatalf("subscribe %s: %v", at, errSub)
		}
		pub, errPub := s.Fast(to)
		if (errPub == nil) != (to.CheckPublish() == nil) {
			t.Fatalf("publish to %s: %v", to, errPub)
		}
		if errPub == nil {
			checkFast(t, s, to)
		}
		if errSub == nil && errPub == nil && matches(sub, pub) != at.Matches(to) {
			t.Fatalf("%s is %s, %s is %s: %v", at, sub, to, pub, matches(sub, pub))
		}
	})
}

// relative draws an address near another one.
func relative(t *rapid.T, a backplane.Address) backplane.Address {
	switch a.Scope {
	case backplane.ScopeHome:
		prefix := rapid.SampledFrom([]string{"", "/chat#", "x#y#", "."}).Draw(t, "prefix")
		return backplane.Socket("/"+anyName().Draw(t, "namespace"), prefix+a.Name+anyName().Draw(t, "rest"))
	case backplane.ScopeNamespace, backplane.ScopeRequests, backplane.ScopeGateway:
		if a.Namespace == "" {
			a.Namespace = "/" + anyName().Draw(t, "namespace")
		}
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		a.Name += "x"
	case 1:
		a.Scope = rapid.SampledFrom([]backplane.Scope{backplane.ScopeRoom, backplane.ScopeSocket, backplane.ScopeWorker}).Draw(t, "scope")
	}
	return a
}
