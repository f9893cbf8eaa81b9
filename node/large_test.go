package node_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

// narrow starts two servers whose messages to one another hold 8 KiB.
func narrow(t *testing.T) (asks, has *member) {
	t.Helper()
	hub, group := memory.NewHub(memory.Config{Limits: backplane.Limits{Payload: 8 << 10}}), static.NewGroup()
	return add(t, hub, group, nil), add(t, hub, group, nil)
}

// partial is the error of a result in which something is missing.
func partial(t *testing.T, err error) *node.PartialError {
	t.Helper()
	p, ok := errors.AsType[*node.PartialError](err)
	if !ok {
		t.Fatalf("%v, want a *PartialError", err)
	}
	return p
}

// Sockets with much data come in more messages, and one that fits into none is
// named.
func TestFetchLargeSockets(t *testing.T) {
	t.Parallel()
	asks, has := narrow(t)
	want := make([]string, 10)
	conns := sockets(has.Of("/"))
	for i := range want {
		has.connect(t, "/", nil)
		s := wait(t, conns, "a socket")
		must(t, nameKey.Set(s, strings.Repeat("x", 3000)))
		want[i] = s.ID()
	}
	fetch := func() (got []string, last error) {
		for s, err := range asks.Of("/").FetchSockets(t.Context()) {
			if err != nil {
				last = err
				continue
			}
			got = append(got, s.ID)
		}
		return sorted(got), last
	}
	got, err := fetch()
	must(t, err)
	if !slices.Equal(got, sorted(want)) {
		t.Errorf("%d sockets came, of 10", len(got))
	}
	has.connect(t, "/", nil)
	large := wait(t, conns, "a socket")
	must(t, nameKey.Set(large, strings.Repeat("x", 16<<10)))
	got, err = fetch()
	if p := partial(t, err); !slices.Equal(p.Missing, []string{large.ID()}) || len(p.FailedNodes) > 0 {
		t.Errorf("missing %q, failed %v", p.Missing, p.FailedNodes)
	}
	if !slices.Equal(got, sorted(want)) {
		t.Errorf("%d sockets came, of 10 that are not too large", len(got))
	}
}

// An acknowledgement that fits into no message is missing, and nobody else's is.
func TestLargeAcknowledgement(t *testing.T) {
	t.Parallel()
	asks, has := narrow(t)
	first := make(chan struct{})
	large, small := has.peer(t, "/", nil), has.peer(t, "/", nil)
	client.Handle(large.Socket, "q", func(context.Context, struct{}) (string, error) {
		defer close(first)
		return strings.Repeat("x", 16<<10), nil
	})
	client.Handle(small.Socket, "q", func(context.Context, struct{}) (string, error) {
		<-first
		return "small", nil
	})
	must(t, errors.Join(large.Connect(t.Context()), small.Connect(t.Context())))
	res, err := asks.Of("/").Broadcast().CollectAcks(t.Context(), "q")
	must(t, err)
	if len(res.Answers) != 1 || res.Answers[0].Socket != small.ID() || !slices.Equal(res.Missing, []string{large.ID()}) {
		t.Errorf("%d answers, missing %q", len(res.Answers), res.Missing)
	}
}

// A server whose answer fits into no message has failed, at once.
func TestLargeServerAnswer(t *testing.T) {
	t.Parallel()
	asks, has := narrow(t)
	has.Of("/").OnServerEvent("q", func(context.Context, *node.ServerEvent) (any, error) { return strings.Repeat("x", 16<<10), nil })
	answers, err := asks.Of("/").ServerSideCollect(t.Context(), "q")
	if must(t, err); len(answers) != 1 || !answers[0].Failed || answers[0].Node != has.ID() {
		t.Errorf("answers %+v", answers)
	}
}

// hostile is a value of an application that cannot be encoded.
type hostile struct{}

func (hostile) MarshalJSON() ([]byte, error) { panic("no JSON of this") }

// What another server asks for runs the application's code, too.
func TestHostileValuesOnRequest(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, nil)
	conns := sockets(all[1].Of("/"))
	all[1].connect(t, "/", nil)
	s := wait(t, conns, "a socket")
	must(t, errors.Join(anyKey.Set(s, hostile{}), nameKey.Set(s, "Ada")))
	all[1].Of("/").OnServerEvent("q", func(context.Context, *node.ServerEvent) (any, error) { return hostile{}, nil })
	n := 0
	for r, err := range all[0].Of("/").FetchSockets(t.Context()) {
		must(t, err)
		n++
		if string(r.Data["name"]) != `"Ada"` || r.Data["anything"] != nil {
			t.Errorf("data %s", r.Data)
		}
	}
	answers, err := all[0].Of("/").ServerSideCollect(t.Context(), "q")
	if must(t, err); n != 1 || len(answers) != 1 || !answers[0].Failed {
		t.Errorf("%d sockets; answers %+v", n, answers)
	}
}

// Who cannot be reached through the backplane is named as long as it is a member,
// however long nobody was heard.
func TestMembersOutOfReach(t *testing.T) {
	t.Parallel()
	group := static.NewGroup()
	here, there := add(t, memory.NewHub(memory.Config{}), group, nil), add(t, memory.NewHub(memory.Config{}), group, nil)
	ns, ctx := here.Of("/"), t.Context()
	until(t, func() bool {
		_, err := ns.Broadcast().CountSockets(ctx)
		return err != nil
	})
	_, counted := ns.Broadcast().CountSockets(ctx)
	_, rooms := ns.Rooms(ctx)
	for what, err := range map[string]error{
		"count": counted, "rooms": rooms, "join": ns.To("a").SocketsJoin(ctx, "b"), "disconnect": ns.Broadcast().DisconnectSockets(ctx, true),
	} {
		if p := partial(t, err); len(p.FailedNodes) != 1 || p.FailedNodes[0].Node != there.ID() {
			t.Errorf("%s: %v", what, err)
		}
	}
	group.Kill(there.ID())
	until(t, func() bool {
		_, err := ns.Broadcast().CountSockets(ctx)
		return err == nil
	})
}

// Limits of what clients send are not those of what servers do.
func TestManyArgumentsOfAnotherServer(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, nil)
	r := all[0].raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40")
	const n = protocol.DefaultMaxArguments + 1
	must(t, all[1].Of("/").Emit(t.Context(), "e", slices.Repeat([]any{1}, n)...))
	r.expect(`42["e"` + strings.Repeat(",1", n) + "]")
}
