// Command auth shows namespaces of their own rights: "/" is open to all,
// "/staff" asks for a token when a client connects, and for a role before some
// events.
//
//	go run ./examples/auth
//
// A client connects with its token:
//
//	io("http://127.0.0.1:3000/staff", { auth: { token: "s3cret-of-ada" } })
package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log"
	"strings"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// Account is who a token belongs to. A real program asks its database, or
// checks a signature.
type Account struct {
	Name  string `json:"name"`
	Admin bool   `json:"admin"`
}

var accounts = map[string]Account{
	"s3cret-of-ada": {Name: "ada", Admin: true},
	"s3cret-of-bob": {Name: "bob"},
}

// account is what a socket in "/staff" carries.
var account = node.NewKey[Account]("account")

func newServer() (*node.Server, error) {
	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID()})
	if err != nil {
		return nil, err
	}
	srv, err := node.New(node.Config{Backplane: bp, Membership: self})
	if err != nil {
		return nil, err
	}

	open := srv.Of("/")
	node.Handle(open, "time?", func(context.Context, *node.Socket, node.None) (string, error) { return "tea time", nil })

	staff := srv.Of("/staff")
	staff.Use(authenticate)
	staff.UseEvent(authorize)
	node.Handle(staff, "who am I?", func(_ context.Context, s *node.Socket, _ node.None) (Account, error) {
		a, _ := account.Get(s)
		return a, nil
	})
	// A message to a user reaches all of the user's sockets, on every server.
	node.Handle(staff, "tell", func(ctx context.Context, s *node.Socket, to node.Args2[string, string]) (bool, error) {
		return true, staff.User(to.A).Emit(ctx, "told", s.User(), to.B)
	})
	node.Handle(staff, "admin:announce", func(ctx context.Context, _ *node.Socket, text string) (bool, error) {
		return true, open.Emit(ctx, "announcement", text)
	})
	return srv, nil
}

// authenticate lets a client in, or tells it why not: "connect_error" there.
func authenticate(_ context.Context, s *node.Socket) error {
	var auth struct {
		Token string `json:"token"`
	}
	if err := s.Auth(&auth); err != nil || auth.Token == "" {
		return node.Refuse("a token is needed", map[string]string{"code": "no_token"})
	}
	a, ok := find(auth.Token)
	if !ok {
		return node.Refuse("the token is not valid", map[string]string{"code": "bad_token"})
	}
	account.Set(s, a)
	return s.SetUser(a.Name)
}

// find compares digests, so that the time it takes tells nothing.
func find(token string) (found Account, ok bool) {
	got := sha256.Sum256([]byte(token))
	for t, a := range accounts {
		if want := sha256.Sum256([]byte(t)); subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
			found, ok = a, true
		}
	}
	return found, ok
}

// authorize lets only administrators use events that begin with "admin:".
func authorize(_ context.Context, e *node.Event) error {
	const prefix = "admin:"
	if !strings.HasPrefix(e.Name, prefix) {
		return nil
	}
	if a, _ := account.Get(e.Socket); !a.Admin {
		return &node.EventError{Message: "only administrators may do this"}
	}
	return nil
}

func main() {
	srv, err := newServer()
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(srv.ListenAndServe(context.Background(), "127.0.0.1:3000", nil))
}
