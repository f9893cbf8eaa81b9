package node_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"regexp"
	"slices"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// open starts a server as a program does, on a port of its own.
func open() (srv *node.Server, url string, stop func()) {
	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID(), Token: membership.Token(bp.ID())})
	if err != nil {
		log.Fatal(err)
	}
	return openOn(bp, self)
}

func openOn(bp *memory.Backplane, self membership.Membership) (srv *node.Server, url string, stop func()) {
	srv, err := node.New(node.Config{Backplane: bp, Membership: self})
	if err != nil {
		log.Fatal(err)
	}
	hs := httptest.NewServer(srv)
	return srv, hs.URL, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
		hs.Close()
		_ = bp.Close(ctx)
	}
}

// enter connects a client to a namespace; what it receives of event goes to the
// channel.
func enter(url, namespace, event string, auth any) (s *client.Socket, received <-chan string, leave func()) {
	c, err := client.Dial(context.Background(), url, client.Config{Transports: []client.Transport{client.WebSocket}})
	if err != nil {
		log.Fatal(err)
	}
	s, err = c.Of(namespace, auth)
	if err != nil {
		log.Fatal(err)
	}
	ch := make(chan string, 16)
	s.On(event, func(e *client.Event) {
		var text string
		_ = e.Decode(&text)
		ch <- text
	})
	if err := s.Connect(context.Background()); err != nil {
		ch <- err.Error()
	}
	return s, ch, func() {
		_ = c.Close()
		<-c.Done()
	}
}

// A server with one namespace: who connects joins the lobby, and a message goes
// to everybody else there and is acknowledged with a receipt.
func Example() {
	type message struct{ Text string }
	type receipt struct{ Length int }

	srv, url, stop := open()
	defer stop()
	chat := srv.Of("/chat")
	chat.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("lobby") })
	node.Handle(chat, "message", func(ctx context.Context, s *node.Socket, m message) (receipt, error) {
		return receipt{len(m.Text)}, s.To("lobby").Emit(ctx, "message", m.Text)
	})

	ctx := context.Background()
	ada, _, leave := enter(url, "/chat", "", nil)
	defer leave()
	_, received, leave2 := enter(url, "/chat", "message", nil)
	defer leave2()
	r, err := client.Call[receipt](ctx, ada, "message", message{"hello"})
	fmt.Println(r.Length, err)
	fmt.Println(<-received)
	// Output:
	// 5 <nil>
	// hello
}

// The result of a handler is the acknowledgement; an *EventError is what the
// client may know of an error.
func ExampleHandle() {
	srv, url, stop := open()
	defer stop()
	node.Handle(srv.Of("/"), "divide", func(_ context.Context, _ *node.Socket, in node.Args2[int, int]) (int, error) {
		if in.B == 0 {
			return 0, &node.EventError{Message: "division by zero"}
		}
		return in.A / in.B, nil
	})

	s, _, leave := enter(url, "/", "", nil)
	defer leave()
	for _, b := range []int{2, 0} {
		answer, _ := s.EmitWithAck(context.Background(), "divide", 84, b)
		fmt.Println(string(answer.Raw(0)))
	}
	// Output:
	// 42
	// {"error":"division by zero"}
}

// Events without an answer.
func ExampleOn() {
	srv, url, stop := open()
	defer stop()
	done := make(chan struct{})
	node.On(srv.Of("/"), "move", func(_ context.Context, _ *node.Socket, to node.Args2[int, int]) error {
		fmt.Println("to", to.A, to.B)
		close(done)
		return nil
	})

	s, _, leave := enter(url, "/", "", nil)
	defer leave()
	_ = s.Emit(context.Background(), "move", 3, 4)
	<-done
	// Output: to 3 4
}

// A relay decodes nothing: arguments stay as they came, digit for digit.
func ExampleNamespace_OnEvent() {
	srv, url, stop := open()
	defer stop()
	srv.Of("/").OnEvent("relay", func(ctx context.Context, e *node.Event) error {
		if err := e.Socket.EmitArgs(ctx, "relayed", e.Args); err != nil {
			return err
		}
		return e.AckRaw(e.Args)
	})

	s, received, leave := enter(url, "/", "relayed", nil)
	defer leave()
	answer, _ := s.EmitWithAck(context.Background(), "relay", "as it is", 9007199254740993)
	fmt.Println(<-received, string(answer.Raw(1)))
	// Output: as it is 9007199254740993
}

// The server asks its client; the context's deadline is the time-out.
func ExampleCall() {
	srv, url, stop := open()
	defer stop()
	node.Handle(srv.Of("/"), "delete", func(ctx context.Context, s *node.Socket, name string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		sure, err := node.Call[bool](ctx, s, "sure?", name)
		if err != nil || !sure {
			return "kept", nil
		}
		return "deleted", nil
	})

	s, _, leave := enter(url, "/", "", nil)
	defer leave()
	client.Handle(s, "sure?", func(_ context.Context, name string) (bool, error) { return name == "draft", nil })
	for _, name := range []string{"draft", "thesis"} {
		done, _ := client.Call[string](context.Background(), s, "delete", name)
		fmt.Println(name, done)
	}
	// Output:
	// draft deleted
	// thesis kept
}

// Middleware decides who may connect, and says who it is.
func ExampleNamespace_Use() {
	srv, url, stop := open()
	defer stop()
	srv.Of("/").Use(func(_ context.Context, s *node.Socket) error {
		var auth struct{ Token string }
		if err := s.Auth(&auth); err != nil || auth.Token != "open sesame" {
			return node.Refuse("bad token", nil)
		}
		return s.SetUser("ali")
	})

	_, refused, leave := enter(url, "/", "", map[string]string{"Token": "open barley"})
	defer leave()
	fmt.Println(<-refused)
	s, welcome, leave2 := enter(url, "/", "hello", map[string]string{"Token": "open sesame"})
	defer leave2()
	_ = srv.User("ali").Emit(context.Background(), "hello", "all devices of ali")
	fmt.Println(<-welcome, s.Connected())
	// Output:
	// client: connect to /: bad token
	// all devices of ali true
}

// Middleware for events runs before all their handlers.
func ExampleNamespace_UseEvent() {
	srv, url, stop := open()
	defer stop()
	ns := srv.Of("/")
	ns.UseEvent(func(_ context.Context, e *node.Event) error {
		if e.Name == "admin" && e.Socket.User() == "" {
			return &node.EventError{Message: "not you"}
		}
		return nil
	})
	ns.OnEvent("admin", func(_ context.Context, e *node.Event) error { return e.Ack("done") })

	s, _, leave := enter(url, "/", "", nil)
	defer leave()
	answer, _ := s.EmitWithAck(context.Background(), "admin")
	fmt.Println(string(answer.Raw(0)))
	// Output: {"error":"not you"}
}

// A broadcast is a value: it is narrowed step by step, and can be kept.
func ExampleBroadcast() {
	srv, url, stop := open()
	defer stop()
	ns := srv.Of("/")
	ns.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("board") })
	ada, toAda, leave := enter(url, "/", "news", nil)
	defer leave()
	_, toBob, leave2 := enter(url, "/", "news", nil)
	defer leave2()

	ctx := context.Background()
	board := ns.To("board")
	_ = board.Emit(ctx, "news", "for the whole board")
	_ = board.Except(ada.ID()).Emit(ctx, "news", "for the others")
	_ = ns.To(ada.ID()).Volatile().Emit(ctx, "news", "for Ada, if she is quick")
	fmt.Println(<-toAda)
	fmt.Println(<-toAda)
	fmt.Println(<-toBob)
	fmt.Println(<-toBob)
	// Output:
	// for the whole board
	// for Ada, if she is quick
	// for the whole board
	// for the others
}

// Answers come as they are given; the last pair says who did not answer.
func ExampleBroadcast_EmitWithAck() {
	srv, url, stop := open()
	defer stop()
	for range 3 {
		s, _, leave := enter(url, "/", "", nil)
		defer leave()
		client.Handle(s, "agreed?", func(context.Context, string) (bool, error) { return true, nil })
	}

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	yes := 0
	for answer, err := range srv.Of("/").Broadcast().EmitWithAck(ctx, "agreed?", "lunch at noon") {
		if err != nil {
			fmt.Println("some are silent:", err)
			break
		}
		var agreed bool
		if answer.Decode(&agreed) == nil && agreed {
			yes++
		}
	}
	fmt.Println(yes, "agree")
	// Output: 3 agree
}

// Sockets of all servers, with their rooms and data.
func ExampleBroadcast_FetchSockets() {
	name := node.NewKey[string]("name")
	srv, url, stop := open()
	defer stop()
	ns := srv.Of("/")
	ns.OnConnect(func(_ context.Context, s *node.Socket) error {
		name.Set(s, "ada")
		return s.Join("board")
	})
	s, _, leave := enter(url, "/", "", nil)
	defer leave()

	for found, err := range ns.To("board").FetchSockets(context.Background()) {
		if err != nil {
			break // a *PartialError: what came before is valid
		}
		who, _ := name.From(found)
		fmt.Println(who, found.ID == s.ID(), slices.Contains(found.Rooms, "board"))
	}
	// Output: ada true true
}

// Operations on the sockets of all servers.
func ExampleBroadcast_SocketsJoin() {
	srv, url, stop := open()
	defer stop()
	ns := srv.Of("/")
	ctx := context.Background()
	_, received, leave := enter(url, "/", "news", nil)
	defer leave()

	err := ns.Broadcast().SocketsJoin(ctx, "board")
	fmt.Println(err)
	_ = ns.To("board").Emit(ctx, "news", "welcome aboard")
	fmt.Println(<-received)
	_ = ns.CloseRoom(ctx, "board")
	n, err := ns.To("board").CountSockets(ctx)
	fmt.Println(n, err)
	// Output:
	// <nil>
	// welcome aboard
	// 0 <nil>
}

// Namespaces by pattern: they come with their first client and go with their
// last.
func ExampleServer_OfPattern() {
	srv, url, stop := open()
	defer stop()
	orgs := srv.OfPattern(regexp.MustCompile(`/org/(?P<id>\d+)`))
	orgs.OnConnect(func(ctx context.Context, s *node.Socket) error {
		return s.Emit(ctx, "welcome", "organisation "+s.Namespace().Param("id"))
	})

	_, received, leave := enter(url, "/org/7", "welcome", nil)
	fmt.Println(<-received)
	fmt.Println(len(orgs.Children()))
	leave()
	// Output:
	// organisation 7
	// 1
}

// Data of a socket, with a type.
func ExampleKey() {
	type profile struct{ Name string }
	key := node.NewKey[profile]("profile")
	srv, url, stop := open()
	defer stop()
	ns := srv.Of("/")
	ns.OnConnect(func(_ context.Context, s *node.Socket) error {
		key.Set(s, profile{"Ada"})
		return nil
	})
	node.Handle(ns, "name", func(_ context.Context, s *node.Socket, _ node.None) (string, error) {
		p, _ := key.Get(s)
		return p.Name, nil
	})

	s, _, leave := enter(url, "/", "", nil)
	defer leave()
	name, _ := client.Call[string](context.Background(), s, "name")
	fmt.Println(name)
	// Output: Ada
}

// The rooms that a socket was in are told their loss.
func ExampleNamespace_OnDisconnecting() {
	srv, url, stop := open()
	defer stop()
	ns := srv.Of("/")
	ns.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("board") })
	ns.OnDisconnecting(func(ctx context.Context, s *node.Socket, r node.Reason) {
		_ = s.To(s.Rooms()...).Emit(ctx, "left", string(r))
	})

	_, received, leave := enter(url, "/", "left", nil)
	defer leave()
	other, _, leave2 := enter(url, "/", "", nil)
	defer leave2()
	_ = other.Disconnect()
	fmt.Println(<-received)
	// Output: client namespace disconnect
}

// Rooms that an application follows, with a subscription elsewhere perhaps.
func ExampleNamespace_OnRoom() {
	srv, url, stop := open()
	defer stop()
	ns := srv.Of("/")
	events := make(chan node.RoomEvent, 8)
	ns.OnRoom(func(e node.RoomEvent) { events <- e })
	ns.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("board") })

	_, _, leave := enter(url, "/", "", nil)
	leave()
	for range 4 {
		e := <-events
		fmt.Println(e.Kind, e.Room)
	}
	// Output:
	// create-room board
	// join-room board
	// leave-room board
	// delete-room board
}

// Servers ask each other. In a cluster the backplane is NATS; the rest is the
// same.
func ExampleNamespace_ServerSideCollect() {
	hub, group := memory.NewHub(memory.Config{}), static.NewGroup()
	var all []*node.Server
	for range 2 {
		bp, err := hub.Join(membership.NewID())
		if err != nil {
			log.Fatal(err)
		}
		self, err := group.Join(membership.Member{ID: bp.ID()})
		if err != nil {
			log.Fatal(err)
		}
		srv, _, stop := openOn(bp, self)
		defer stop()
		srv.Of("/").OnServerEvent("load", func(context.Context, *node.ServerEvent) (any, error) { return srv.Of("/").Len(), nil })
		all = append(all, srv)
	}

	answers, err := all[0].Of("/").ServerSideCollect(context.Background(), "load")
	for _, a := range answers {
		fmt.Println(a.Node == all[1].ID(), string(a.Args.Raw(0)))
	}
	fmt.Println(err)
	// Output:
	// true 0
	// <nil>
}

// Work that outlives its event, and ends with the server.
func ExampleServer_Go() {
	srv, url, stop := open()
	ns := srv.Of("/")
	ns.OnEvent("countdown", func(_ context.Context, e *node.Event) error {
		s := e.Socket
		return srv.Go(func(ctx context.Context) error {
			for _, n := range []string{"three", "two", "one"} {
				if err := s.Emit(ctx, "count", n); err != nil {
					return nil // the client is gone
				}
				if err := node.Sleep(ctx, time.Millisecond); err != nil {
					return err // the server is shutting down
				}
			}
			return nil
		})
	})

	s, received, leave := enter(url, "/", "count", nil)
	_ = s.Emit(context.Background(), "countdown")
	fmt.Println(<-received, <-received, <-received)
	leave()
	stop()
	// Output: three two one
}
