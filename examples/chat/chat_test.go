package chat

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/testclient"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// serve runs a server with the chat and returns its URL.
func serve(t *testing.T) string {
	t.Helper()
	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID()})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := node.New(node.Config{Backplane: bp, Membership: self, Recovery: node.Recovery{Enabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	Register(srv.Of("/"))
	return testclient.Serve(t, srv.Handler(Page(PageConfig{})), srv.Shutdown)
}

// member is somebody with what they were told.
type member struct {
	*client.Socket
	client                        *client.Client
	joined, left, typing, message <-chan *client.Event
	rooms                         <-chan *client.Event
}

func come(t *testing.T, url, name string) *member {
	t.Helper()
	c := testclient.Dial(t, url)
	s, err := c.Of("/", map[string]string{"name": name})
	if err != nil {
		t.Fatal(err)
	}
	m := &member{s, c, testclient.Events(s, "joined"), testclient.Events(s, "left"), testclient.Events(s, "typing"), testclient.Events(s, "message"), testclient.Events(s, "rooms")}
	if err := s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *member) join(t *testing.T, room string) []string {
	t.Helper()
	var names []string
	for _, p := range testclient.Call[Joined](t, m.Socket, "join", room).People {
		names = append(names, p.Name)
	}
	return names
}

// who decodes an event that names a person, and a second argument.
func who[T any](t *testing.T, events <-chan *client.Event) (string, T) {
	t.Helper()
	var p Person
	var second T
	testclient.Next(t, events, &p, &second)
	return p.Name, second
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", what, diff)
	}
}

func TestChat(t *testing.T) {
	t.Parallel()
	url := serve(t)
	ada, bob := come(t, url, "Ada"), come(t, url, "  Bob ")
	expect(t, "rooms at first", testclient.Next1[[]string](t, ada.rooms), []string{})

	expect(t, "alone", ada.join(t, "lobby"), []string{"Ada"})
	expect(t, "both", bob.join(t, " lobby "), []string{"Ada", "Bob"})
	name, room := who[string](t, ada.joined)
	expect(t, "Ada is told who came", []string{name, room}, []string{"Bob", "lobby"})
	expect(t, "again", bob.join(t, "lobby"), []string{"Ada", "Bob"}) // and Ada is not told again: see below

	// A message reaches the others, and its answer the sender.
	receipt := testclient.Call[Receipt](t, ada.Socket, "message", "hello <b>Bob</b> 😀")
	got := testclient.Next1[Message](t, bob.message)
	expect(t, "message", got, Message{receipt.ID, receipt.Time, "lobby", Person{ada.ID(), "Ada"}, "hello <b>Bob</b> 😀"})

	if err := bob.Emit(t.Context(), "typing", true); err != nil {
		t.Fatal(err)
	}
	name, on := who[bool](t, ada.typing)
	expect(t, "typing", []any{name, on}, []any{"Bob", true})

	// Moving to another room leaves the first.
	expect(t, "in the other room", bob.join(t, "garden"), []string{"Bob"})
	name, room = who[string](t, ada.left)
	expect(t, "Ada is told who went", []string{name, room}, []string{"Bob", "lobby"})
	testclient.Call[Receipt](t, ada.Socket, "message", "to nobody")
	expect(t, "back", bob.join(t, "lobby"), []string{"Ada", "Bob"})
	name, _ = who[string](t, ada.joined)
	expect(t, "who came back", name, "Bob")
	testclient.Call[node.None](t, bob.Socket, "leave")
	testclient.Call[node.None](t, bob.Socket, "leave") // nothing to leave
	name, _ = who[string](t, ada.left)
	expect(t, "who left", name, "Bob")
	if len(bob.message)+len(ada.message)+len(ada.joined)+len(ada.left) != 0 {
		t.Errorf("more was told than happened: %d %d %d %d", len(bob.message), len(ada.message), len(ada.joined), len(ada.left))
	}
}

// The list of rooms follows who is where, for everybody.
func TestRooms(t *testing.T) {
	t.Parallel()
	url := serve(t)
	ada, bob := come(t, url, "Ada"), come(t, url, "Bob")
	until := func(want ...string) {
		t.Helper()
		for {
			got := testclient.Next1[[]string](t, ada.rooms)
			if cmp.Equal(got, want) || len(got)+len(want) == 0 {
				return
			}
		}
	}
	until()
	bob.join(t, "b")
	until("b")
	ada.join(t, "a")
	until("a", "b")
	bob.join(t, "a")
	until("a")
	if err := bob.client.Close(); err != nil {
		t.Fatal(err)
	}
	testclient.Call[node.None](t, ada.Socket, "leave")
	until()
}

// Who comes back after a lost connection is in the room still, is announced,
// and has missed nothing; who goes is gone.
func TestComingBack(t *testing.T) {
	t.Parallel()
	url := serve(t)
	ada, bob := come(t, url, "Ada"), come(t, url, "Bob")
	ada.join(t, "lobby")
	bob.join(t, "lobby")
	who[string](t, ada.joined)
	bob.client.Drop()
	name, _ := who[string](t, ada.left)
	expect(t, "who is away", name, "Bob")
	sent := testclient.Call[Receipt](t, ada.Socket, "message", "where are you?")
	expect(t, "missed message", testclient.Next1[Message](t, bob.message).ID, sent.ID)
	name, _ = who[string](t, ada.joined)
	expect(t, "who is back", name, "Bob")
	if !bob.Recovered() {
		t.Error("not recovered")
	}
	testclient.Call[Receipt](t, bob.Socket, "message", "here again") // without joining again
	if err := bob.client.Close(); err != nil {
		t.Fatal(err)
	}
	name, room := who[string](t, ada.left)
	expect(t, "who is gone", []string{name, room}, []string{"Bob", "lobby"})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	url := serve(t)
	for _, auth := range []any{nil, map[string]string{}, map[string]string{"name": " "}, map[string]string{"name": "a\nb"}, map[string]string{"name": strings.Repeat("x", 33)}} {
		if err := testclient.Refused(t, url, "/", auth); err.Message != "a name has 1 to 32 characters" || !strings.Contains(string(err.Data), `"name"`) {
			t.Errorf("%v: refused with %q and %s", auth, err.Message, err.Data)
		}
	}
	if err := testclient.Refused(t, url, "/", map[string]int{"name": 7}); err.Message != "connect with a name" {
		t.Errorf("refused with %q", err.Message)
	}

	s := come(t, url, strings.Repeat("é", 32)).Socket
	why := func(event string, args ...any) string {
		return testclient.Call[map[string]string](t, s, event, args...)["error"]
	}
	expect(t, "message outside", why("message", "x"), "join a room first")
	expect(t, "room without a name", why("join", " "), "a room has 1 to 64 characters")
	expect(t, "long room", why("join", strings.Repeat("x", 65)), "a room has 1 to 64 characters")
	expect(t, "room that is no text", why("join", 5), "bad argument")
	testclient.Call[Joined](t, s, "join", strings.Repeat("é", 64))
	expect(t, "empty message", why("message", "\n "), "a message has 1 to 2000 characters")
	expect(t, "long message", why("message", strings.Repeat("x", 2001)), "a message has 1 to 2000 characters")
	testclient.Call[Receipt](t, s, "message", strings.Repeat("😀", 2000))
	if err := s.Emit(t.Context(), "typing", true); err != nil {
		t.Error(err)
	}
}
