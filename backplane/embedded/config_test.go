package embedded

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	natsd "github.com/nats-io/nats-server/v2/server"

	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
)

// member returns the only member of a group.
func member(t *testing.T, addr string) membership.Membership {
	t.Helper()
	m, err := static.New(membership.Member{Name: "m", Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestValidate(t *testing.T) {
	t.Parallel()
	any := errors.New("any")
	m := member(t, "")
	for _, tt := range []struct {
		name string
		cfg  Config
		want error // nil: valid
	}{
		{"alone", Config{Name: "a"}, nil},
		{"alone with a store", Config{Name: "a", Store: 1}, nil},
		{"mesh", Config{Name: "a", Members: m, Routes: RouteConfig{Listen: "127.0.0.1:0"}}, nil},
		{"mesh with stores elsewhere", Config{Name: "a", Store: 3, Members: m, Routes: RouteConfig{Listen: "[::1]:0"}}, nil},
		{"beyond loopback", Config{Name: "a", Members: m, Routes: RouteConfig{Listen: ":6222", Secrets: []string{"s"}, TLS: &tls.Config{}}}, nil},
		{"beyond loopback on purpose", Config{Name: "a", Members: m, Routes: RouteConfig{Listen: "10.0.0.1:6222", Secrets: []string{"s"}, Insecure: true}}, nil},

		{"no name", Config{}, any},
		{"name with a space", Config{Name: "a b"}, any},
		{"long name", Config{Name: strings.Repeat("n", 65)}, any},
		{"cluster with a dot", Config{Name: "a", Cluster: "a.b"}, subject.ErrCluster},
		{"two stores", Config{Name: "a", Store: 2, Members: m, Routes: RouteConfig{Listen: "127.0.0.1:0"}}, ErrStores},
		{"two stores alone", Config{Name: "a", Store: 2}, ErrStores},
		{"five stores", Config{Name: "a", Store: 5}, ErrStores},
		{"fewer than none", Config{Name: "a", Store: -1}, ErrStores},
		{"three stores alone", Config{Name: "a", Store: 3, IsStore: true}, ErrStores},
		{"a store of none", Config{Name: "a", IsStore: true}, ErrStores},
		{"no members", Config{Name: "a", Routes: RouteConfig{Listen: "127.0.0.1:0"}}, any},
		{"no TLS", Config{Name: "a", Members: m, Routes: RouteConfig{Listen: "0.0.0.0:0", Secrets: []string{"s"}}}, ErrInsecure},
		{"no TLS at all addresses", Config{Name: "a", Members: m, Routes: RouteConfig{Listen: ":0", Secrets: []string{"s"}}}, ErrInsecure},
		{"no TLS at a name", Config{Name: "a", Members: m, Routes: RouteConfig{Listen: "node-1:0", Secrets: []string{"s"}}}, ErrInsecure},
		{"no secret", Config{Name: "a", Members: m, Routes: RouteConfig{Listen: "10.0.0.1:0", Insecure: true}}, ErrInsecure},
		{"empty secret", Config{Name: "a", Members: m, Routes: RouteConfig{Listen: "127.0.0.1:0", Secrets: []string{"s", ""}}}, any},
		{"route without a port", Config{Name: "a", Members: m, Routes: RouteConfig{Listen: "127.0.0.1"}}, any},
		{"route with a bad port", Config{Name: "a", Members: m, Routes: RouteConfig{Listen: "127.0.0.1:70000"}}, any},
		{"client listener without a port", Config{Name: "a", Listen: "127.0.0.1"}, any},
		{"small payload", Config{Name: "a", MaxPayload: 10}, any},
		{"large payload", Config{Name: "a", MaxPayload: 1 << 30}, any},
		{"a hash for a password", Config{Name: "a", Passwords: Passwords{Emitter: "$2a$11$0123456789012345678901"}}, any},
		{"negative time", Config{Name: "a", StartTimeout: -time.Second}, any},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.cfg.Validate()
			switch {
			case tt.want == nil && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != nil && err == nil:
				t.Error("accepted")
			case tt.want != nil && tt.want != any && !errors.Is(err, tt.want):
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if tt.want == nil {
				return
			}
			if s, err := Start(t.Context(), tt.cfg); err == nil {
				stop(t, s)
				t.Error("started")
			}
		})
	}
}

func TestValidateNamesEverything(t *testing.T) {
	t.Parallel()
	err := Config{Name: "a b", Cluster: "c d", Store: 2, MaxPayload: 1, Listen: "nowhere"}.Validate()
	for _, want := range []string{"Name", "Cluster", "store nodes", "MaxPayload", "Listen"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not mentioned in %v", want, err)
		}
	}
}

func TestAdvertisedHost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		listen, advertise, member string
		want                      string // with port 77 where none is given; "" refused
	}{
		{"127.0.0.1:0", "", "", "127.0.0.1:77"},
		{"127.0.0.1:0", "node-1", "", "node-1:77"},
		{"127.0.0.1:0", "node-1:5", "", "node-1:5"},
		{"[::1]:0", "", "", "[::1]:77"},
		{"[::1]:0", "fd00::7", "", "[fd00::7]:77"},
		{":0", "", "10.1.1.1:8081", "10.1.1.1:77"},
		{"0.0.0.0:0", "", "10.1.1.1:8081", "10.1.1.1:77"},
		{"[::]:0", "", "[fd00::1]:8081", "[fd00::1]:77"},
		{":0", "", "", ""},
		{":0", "", "0.0.0.0:8081", ""},
	} {
		s := &Server{cfg: Config{
			Routes:  RouteConfig{Listen: tt.listen, Advertise: tt.advertise},
			Members: member(t, tt.member),
		}}
		got, err := s.advertisedHost()
		if err == nil {
			s.advertise = got
			got = s.advertised(77)
		}
		if got != tt.want || err == nil != (tt.want != "") {
			t.Errorf("listen %q, advertise %q, member %q: got %q, %v", tt.listen, tt.advertise, tt.member, got, err)
		}
	}
}

// Whatever stands in a string comes out of nats-server's parser as it went in.
func TestQuote(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		var b conf
		b.set("pid_file", text)
		b.set("server_name", "after")
		var o natsd.Options
		if err := o.ProcessConfigString(b.String()); err != nil {
			t.Fatalf("%q: %v", b.String(), err)
		}
		if o.PidFile != text || o.ServerName != "after" {
			t.Fatalf("%q became %q, and then %q", text, o.PidFile, o.ServerName)
		}
	})
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	a := Password("secret", "siod", Emitter)
	if a != Password("secret", "siod", Emitter) {
		t.Error("a derived password changes")
	}
	seen := map[string]string{a: "itself"}
	for what, p := range map[string]string{
		"another secret":  Password("secre", "siod", Emitter),
		"another cluster": Password("secret", "siodx", Emitter),
		"another role":    Password("secret", "siod", Worker),
		"routes":          routePassword("secret", "siod"),
	} {
		if with, ok := seen[p]; ok || len(p) != 43 {
			t.Errorf("%s: %q is that of %s", what, p, with)
		}
		seen[p] = what
	}
	cfg := Config{Routes: RouteConfig{Secrets: []string{"new", "old"}}, Passwords: Passwords{Worker: "given"}}.withDefaults()
	want := Passwords{Node: Password("new", "siod", Node), Emitter: Password("new", "siod", Emitter), Worker: "given"}
	if diff := cmp.Diff(want, cfg.passwords()); diff != "" {
		t.Errorf("passwords (-want +got):\n%s", diff)
	}
	random := Config{}.withDefaults()
	if one, other := random.passwords(), random.passwords(); one == other || one.Node == "" {
		t.Errorf("without a secret passwords are %+v and %+v", one, other)
	}
}

// The derivation is part of what other processes rely on.
func TestPasswordIsFixed(t *testing.T) {
	t.Parallel()
	const want = "LmW7rL5jhn1PmmJ8C6w9RPRoV99gt5oR9891-xFg6tM"
	if got := Password("secret", "siod", Emitter); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
