package gossip

import (
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/siod-io/siod/membership"
)

// Who lacks the secret or is of another cluster neither joins nor learns
// anything, on whichever side the first word is said.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Config)
	}{
		{"another secret", func(c *Config) { c.Secrets = []string{"another secret of the tests"} }},
		{"no secret", func(c *Config) { c.Secrets = nil }},
		{"another cluster", func(c *Config) { c.Cluster += "2" }},
		{"another cluster without secrets", func(c *Config) { c.Secrets, c.Cluster = nil, c.Cluster+"2" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := start(t, config(t, member("a")))
			strange := config(t, member("b"), a)
			tt.change(&strange)
			b := start(t, strange)
			back := config(t, member("c"), b) // a friend of a, by the stranger's address
			c := start(t, back)
			for _, g := range []*Gossip{b, c} {
				if s := g.Stats(); s.Joined != 0 || s.JoinFailures == 0 {
					t.Errorf("%s: %+v, want a refused attempt", g.Self().ID, s)
				}
			}
			friend := start(t, config(t, member("d"), a)) // and the port still serves
			sees(t, a, "a", "d")
			sees(t, friend, "a", "d")
			if ids(b) != "b" || ids(c) != "c" {
				t.Errorf("b sees %s, c sees %s", ids(b), ids(c))
			}
		})
	}
}

// Two clusters without secrets on one machine stay apart by their names.
func TestOpenClusters(t *testing.T) {
	t.Parallel()
	open := func(id, cluster string, join ...*Gossip) *Gossip {
		c := config(t, member(id), join...)
		c.Secrets, c.Cluster = nil, c.Cluster+cluster
		return start(t, c)
	}
	a := open("a", "1")
	b := open("b", "2", a)
	c := open("c", "1", a, b)
	sees(t, a, "a", "c")
	sees(t, c, "a", "c")
	if ids(b) != "b" {
		t.Errorf("b sees %s", ids(b))
	}
}

// announcing makes a node announce these bytes.
type announcing struct {
	memberlist.Delegate
	meta []byte
}

func (a announcing) NodeMeta(int) []byte { return a.meta }

func announce(c *Config, meta []byte) {
	before := c.tune
	c.tune = func(mc *memberlist.Config) {
		before(mc)
		mc.Delegate = announcing{mc.Delegate, meta}
	}
}

func TestMalformedMember(t *testing.T) {
	t.Parallel()
	log := newRecord()
	ca := config(t, member("a"))
	ca.Logger = log.logger()
	a := start(t, ca)
	bad := config(t, member("b"), a)
	announce(&bad, []byte{metaVersion, tagName, 200, 'x'})
	start(t, bad)
	log.await(t, "malformed announcement")
	start(t, config(t, member("d"), a))
	sees(t, a, "a", "d")
	if s := a.Stats(); s.Refused == 0 {
		t.Errorf("%+v, want a refused announcement", s)
	}
}

// A node of a later version takes part, with what this one understands of it.
func TestMemberOfTheFuture(t *testing.T) {
	t.Parallel()
	a := start(t, config(t, member("a")))
	future := full()
	future.ID, future.Token = "b", membership.Token("b")
	meta := encodeMember(future)
	meta[0] = metaVersion + 1
	meta = append(meta, 77, 2, 1, 2)
	c := config(t, future, a)
	announce(&c, meta)
	b := start(t, c)
	sees(t, a, "a", "b")
	sees(t, b, "a", "b")
	got, _ := a.ByToken(future.Token)
	if got.Addr != future.Addr || got.State != membership.Leaving || got.Meta["route"] != future.Meta["route"] {
		t.Errorf("a sees %+v", got)
	}
}

// A process that claims the boot id of another one is not let in, and does the
// other no harm.
func TestClaimedID(t *testing.T) {
	t.Parallel()
	a := start(t, trusting(t, member("a")))
	x := start(t, trusting(t, member("x"), a))
	sees(t, a, "a", "x")
	w := watch(t, a, "x")
	claim := member("x")
	claim.Addr = "evil:1"
	if g, err := Start(t.Context(), trusting(t, claim, a)); !errors.Is(err, membership.ErrDuplicate) {
		t.Errorf("a second x: %v, %v", g, err)
	}
	start(t, trusting(t, member("z"), a))
	sees(t, x, "a", "x", "z")
	sees(t, a, "a", "x", "z")
	if m, _ := a.Lookup("x"); m.Addr != "x:1" {
		t.Errorf("x has the address %s", m.Addr)
	}
	for seen := false; !seen; {
		ev := <-w
		seen = ev.Member.ID == "z"
		if ev.Kind == membership.Gone {
			t.Errorf("%s went", ev.Member.ID)
		}
	}
}

// These ids have one token.
const twin, otherTwin = "node169894", "node264413"

func TestClaimedToken(t *testing.T) {
	t.Parallel()
	a := start(t, trusting(t, member("a")))
	first := start(t, trusting(t, member(twin), a))
	sees(t, a, "a", twin)
	if _, err := Start(t.Context(), trusting(t, member(otherTwin), a)); !errors.Is(err, membership.ErrDuplicate) {
		t.Errorf("a second node with the token %s: %v", first.Self().Token, err)
	}
	if m, ok := a.ByToken(first.Self().Token); !ok || m.ID != twin {
		t.Errorf("the token leads to %s, %v", m.ID, ok)
	}
}

// Of two members with one token, whose clusters were apart, the second is let in
// when the first is gone.
func TestTokenIsFreeAgain(t *testing.T) {
	t.Parallel()
	log := newRecord()
	ca := config(t, member("a"))
	ca.Logger = log.logger()
	a := start(t, ca)
	first := start(t, config(t, member(twin), a))
	second := start(t, config(t, member(otherTwin))) // knows nobody yet
	sees(t, a, "a", twin)
	if !second.contact(a.net.advertise) {
		t.Fatal("not reached")
	}
	log.await(t, "member refused")
	if s := a.Stats(); s.Members != 2 || s.Duplicates != 1 {
		t.Errorf("%+v, want two that gossip and one refused", s)
	}
	if m, ok := a.ByToken(first.Self().Token); !ok || m.ID != twin {
		t.Errorf("the token leads to %s, %v", m.ID, ok)
	}
	if err := first.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	sees(t, a, "a", otherTwin)
}

// The earlier boot of a name ends its own membership when it hears of the later
// one, and one that starts later than it says is not let in.
func TestEarlierBootEnds(t *testing.T) {
	t.Parallel()
	boot := func(id string, started time.Time) membership.Member {
		m := member(id)
		m.Name, m.Started = "name", started
		return m
	}
	now := time.Now()
	a := start(t, config(t, member("a")))
	log := newRecord()
	c1 := config(t, boot("x1", now), a)
	c1.Logger = log.logger()
	x1 := start(t, c1)
	sees(t, a, "a", "x1")
	w := watch(t, a, "x1")
	own := x1.Watch(t.Context())
	start(t, config(t, boot("x2", now.Add(time.Second)), a))
	if why := gone(t, w, "x1"); why != membership.Dead {
		t.Errorf("x1 is gone as %v, want dead", why)
	}
	for range own { // until it is closed
	}
	log.await(t, "a later boot of this node's name")
	if err := x1.SetMeta(nil); !errors.Is(err, membership.ErrLeft) || x1.Self().State != membership.Dead {
		t.Errorf("x1 goes on as %v, %v", x1.Self().State, err)
	}
	switch x0, err := Start(t.Context(), config(t, boot("x0", now), a)); {
	case err == nil: // a did not answer in time; x0 goes on to ask, and ends when it is told
		t.Cleanup(x0.Close)
		for range x0.Watch(t.Context()) {
		}
		if err := x0.SetMeta(nil); !errors.Is(err, membership.ErrLeft) {
			t.Errorf("an earlier boot goes on: %v", err)
		}
	case !errors.Is(err, membership.ErrDuplicate):
		t.Errorf("an earlier boot: %v", err)
	}
	sees(t, a, "a", "x2")
}

// Bytes at random change nothing, and the port goes on to serve.
func TestGarbage(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]string{{secret}, nil} {
		t.Run(map[bool]string{true: "open", false: "encrypted"}[secrets == nil], func(t *testing.T) {
			t.Parallel()
			ca, cb := config(t, member("a")), config(t, member("b"))
			ca.Secrets, cb.Secrets = secrets, secrets
			a := start(t, ca)
			cb.Join = []string{a.Addr()}
			start(t, cb)
			sees(t, a, "a", "b")
			label := append([]byte{244, byte(len(ca.Cluster))}, ca.Cluster...)
			udp, err := net.Dial("udp", a.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer udp.Close()
			for i := range 300 {
				b := make([]byte, i*4)
				rand.Read(b)
				for _, p := range [][]byte{b, append(label[:len(label):len(label)], b...)} {
					if _, err := udp.Write(p); err != nil && !strings.Contains(err.Error(), "refused") {
						t.Fatal(err)
					}
				}
			}
			for i := range 30 {
				b := make([]byte, i*100)
				rand.Read(b)
				pour(t, a.Addr(), append(label[:len(label):len(label)], b...))
			}
			c := config(t, member("c"), a)
			c.Secrets = secrets
			sees(t, start(t, c), "a", "b", "c")
			sees(t, a, "a", "b", "c")
		})
	}
}

// pour sends bytes over TCP and waits until the other side hangs up.
func pour(t *testing.T, addr string, b []byte) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write(b) // it may hang up at once
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}
