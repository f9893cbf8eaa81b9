package chat

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/siod-io/siod/node"
)

// Bounds of what people may send, in characters.
const (
	MaxName = 32
	MaxRoom = 64
	MaxText = 2000
)

// Person is somebody in a room.
type Person struct {
	ID   string `json:"id"` // of the socket
	Name string `json:"name"`
}

// Joined answers "join": the room as it is called, and who is in it.
type Joined struct {
	Room   string   `json:"room"`
	People []Person `json:"people"`
}

// Receipt answers "message".
type Receipt struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
}

// Message is what the others in the room get.
type Message struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	Room string    `json:"room"`
	From Person    `json:"from"`
	Text string    `json:"text"`
}

// What a socket carries. It survives a recovery, and other servers see it.
var (
	name = node.NewKey[string]("name")
	room = node.NewKey[string]("room")
)

// Register adds the chat's handlers to a namespace.
func Register(ns *node.Namespace) {
	c := &chat{ns: ns}
	ns.OnConnect(c.connect)
	ns.OnDisconnecting(c.disconnecting)
	ns.OnRoom(c.roomChanged)
	node.Handle(ns, "join", c.join)
	node.Handle(ns, "leave", c.leave)
	node.Handle(ns, "message", c.message)
	node.On(ns, "typing", c.typing)
}

type chat struct {
	ns *node.Namespace
	mu sync.Mutex // lists of rooms leave in the order in which they were made
}

// connect lets people in who have a name. Those who come back after a lost
// connection are still in their room, and the others are told.
func (c *chat) connect(ctx context.Context, s *node.Socket) error {
	var auth struct {
		Name string `json:"name"`
	}
	if err := s.Auth(&auth); err != nil {
		return node.Refuse("connect with a name", nil)
	}
	n := strings.TrimSpace(auth.Name)
	if !fits(n, MaxName) {
		return node.Refuse("a name has 1 to 32 characters", map[string]string{"field": "name"})
	}
	name.Set(s, n)
	if r, ok := room.Get(s); ok && s.Recovered() {
		if err := s.To(r).Emit(ctx, "joined", person(s), r); err != nil {
			return err
		}
	}
	rooms, err := c.ns.Rooms(ctx)
	if err != nil {
		return err
	}
	return s.Emit(ctx, "rooms", rooms)
}

// join moves somebody into a room.
func (c *chat) join(ctx context.Context, s *node.Socket, to string) (Joined, error) {
	to = strings.TrimSpace(to)
	if !fits(to, MaxRoom) {
		return Joined{}, &node.EventError{Message: "a room has 1 to 64 characters"}
	}
	if was, ok := room.Get(s); !ok || was != to {
		if _, err := c.leave(ctx, s, node.None{}); err != nil {
			return Joined{}, err
		}
		if err := s.Join(to); err != nil {
			return Joined{}, err
		}
		room.Set(s, to)
		if err := s.To(to).Emit(ctx, "joined", person(s), to); err != nil {
			return Joined{}, err
		}
	}
	people, err := c.people(ctx, to)
	return Joined{Room: to, People: people}, err
}

// people lists who is in a room, on every server of a cluster.
func (c *chat) people(ctx context.Context, in string) ([]Person, error) {
	var all []Person
	for s, err := range c.ns.To(in).FetchSockets(ctx) {
		if err != nil {
			return nil, err
		}
		if n, ok := name.From(s); ok {
			all = append(all, Person{s.ID, n})
		}
	}
	slices.SortFunc(all, func(a, b Person) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// leave takes somebody out of the room.
func (c *chat) leave(ctx context.Context, s *node.Socket, _ node.None) (node.None, error) {
	r, ok := room.Get(s)
	if !ok {
		return node.None{}, nil
	}
	room.Delete(s)
	if err := s.Leave(r); err != nil {
		return node.None{}, err
	}
	return node.None{}, s.To(r).Emit(ctx, "left", person(s), r)
}

// message passes a text on to the others in the room. When the sender gets the
// answer, they will get the message, after a lost connection too.
func (c *chat) message(ctx context.Context, s *node.Socket, text string) (Receipt, error) {
	r, ok := room.Get(s)
	switch {
	case !ok:
		return Receipt{}, &node.EventError{Message: "join a room first"}
	case strings.TrimSpace(text) == "" || utf8.RuneCountInString(text) > MaxText:
		return Receipt{}, &node.EventError{Message: "a message has 1 to 2000 characters"}
	}
	m := Message{ID: rand.Text(), Time: time.Now().UTC(), Room: r, From: person(s), Text: text}
	return Receipt{m.ID, m.Time}, s.To(r).Emit(ctx, "message", m)
}

// typing is volatile: who cannot take it at once need not know.
func (c *chat) typing(ctx context.Context, s *node.Socket, on bool) error {
	r, ok := room.Get(s)
	if !ok {
		return nil
	}
	return s.To(r).Volatile().Emit(ctx, "typing", person(s), on)
}

// disconnecting tells the room, while the socket is still in it.
func (c *chat) disconnecting(ctx context.Context, s *node.Socket, _ node.Reason) {
	if r, ok := room.Get(s); ok {
		_ = s.To(r).Emit(ctx, "left", person(s), r) // fails only when the server is going down
	}
}

// roomChanged keeps everybody's list of rooms up to date. Only the newest list
// counts, so a slow client is sent that one alone.
func (c *chat) roomChanged(e node.RoomEvent) {
	if e.Kind != node.RoomCreated && e.Kind != node.RoomDeleted {
		return
	}
	c.ns.Server().Go(func(ctx context.Context) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		rooms, err := c.ns.Rooms(ctx)
		if err != nil {
			return err
		}
		return c.ns.Broadcast().Latest("rooms").Emit(ctx, "rooms", rooms)
	})
}

func person(s *node.Socket) Person {
	n, _ := name.Get(s)
	return Person{s.ID(), n}
}

// fits reports whether a text is short enough and can be shown.
func fits(s string, most int) bool {
	return s != "" && utf8.RuneCountInString(s) <= most && strings.IndexFunc(s, unicode.IsControl) < 0
}
