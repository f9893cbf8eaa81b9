package gossip

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/siod-io/siod/membership"
)

// link stands before a node's port, at the address that the node advertises, and
// can be cut: then nothing reaches the node.
type link struct {
	tcp *net.TCPListener
	udp *net.UDPConn
	wg  sync.WaitGroup

	mu    sync.Mutex
	to    netip.AddrPort // of the node, once it listens
	cut   bool
	conns map[net.Conn]struct{}
}

func newLink(t *testing.T) *link {
	t.Helper()
	tcp, udp, err := bind(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	l := &link{tcp: tcp, udp: udp, conns: make(map[net.Conn]struct{})}
	l.wg.Go(l.packets)
	l.wg.Go(l.streams)
	t.Cleanup(func() {
		_, _ = tcp.Close(), udp.Close()
		l.set(true)
		l.wg.Wait()
	})
	return l
}

// through has a node advertise the link.
func (l *link) through(c Config) Config {
	c.Advertise = l.tcp.Addr().String()
	before := c.tune
	c.tune = func(mc *memberlist.Config) {
		if before != nil {
			before(mc)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.to = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(mc.BindPort))
	}
	return c
}

// set cuts the link or mends it.
func (l *link) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for c := range l.conns {
		if cut {
			_ = c.Close()
		}
	}
}

func (l *link) target() (netip.AddrPort, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to, l.to.IsValid() && !l.cut
}

func (l *link) packets() {
	buf := make([]byte, maxDatagram)
	for {
		n, _, err := l.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if to, ok := l.target(); ok {
			_, _ = l.udp.WriteToUDPAddrPort(buf[:n], to) // packets may be lost
		}
	}
}

func (l *link) streams() {
	for {
		c, err := l.tcp.Accept()
		if err != nil {
			return
		}
		l.wg.Go(func() { l.stream(c) })
	}
}

func (l *link) stream(c net.Conn) {
	defer c.Close()
	to, ok := l.target()
	if !ok {
		return
	}
	d, err := net.Dial("tcp", to.String())
	if err != nil {
		return
	}
	defer d.Close()
	if !l.keep(c, d) {
		return
	}
	defer l.drop(c, d)
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(c, d)
		_ = c.Close()
	}()
	_, _ = io.Copy(d, c)
	_ = d.Close()
	<-back
}

func (l *link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.conns[c] = struct{}{}
	}
	return !l.cut
}

func (l *link) drop(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		delete(l.conns, c)
	}
}

// Two halves that lost each other are one again soon after the network is, also
// when gossip forgot the dead, and when neither has the other on its list.
func TestPartition(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		memory time.Duration
		list   bool
	}{
		{"remembered", time.Hour, false},
		{"forgotten", time.Nanosecond, false},
		{"on the list", time.Nanosecond, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			la, lb := newLink(t), newLink(t)
			node := func(id string, l *link, join ...*Gossip) *Gossip {
				c := config(t, member(id), join...)
				c.Rejoin = 200 * time.Millisecond
				pace := c.tune
				c.tune = func(mc *memberlist.Config) {
					pace(mc)
					mc.SuspicionMult = 5
					mc.GossipToTheDeadTime = tt.memory
				}
				return start(t, l.through(c))
			}
			a := node("a", la)
			var list []*Gossip
			if tt.list {
				list = append(list, a)
			}
			b := node("b", lb, list...)
			if b.contact(a.net.advertise) == tt.list {
				t.Fatal("joined twice, or not at all")
			}
			sees(t, a, "a", "b")
			sees(t, b, "a", "b")
			wa, wb := watch(t, a, "b"), watch(t, b, "a")

			la.set(true)
			lb.set(true)
			if why := gone(t, wa, "b"); why != membership.Dead {
				t.Errorf("a lost b as %v", why)
			}
			if why := gone(t, wb, "a"); why != membership.Dead {
				t.Errorf("b lost a as %v", why)
			}
			if err := a.SetMeta(map[string]string{"told": "meanwhile"}); err != nil {
				t.Fatal(err)
			}
			// Some attempts fail before the network is whole again.
			failed := b.Stats().JoinFailures
			for b.Stats().JoinFailures < failed+2 {
				if b.contact(a.net.advertise) {
					t.Fatal("the link is not cut")
				}
			}
			la.set(false)
			lb.set(false)
			began := time.Now()
			sees(t, a, "a", "b")
			sees(t, b, "a", "b")
			await(t, b, "news of a", func() bool { m, _ := b.Lookup("a"); return m.Meta["told"] == "meanwhile" })
			t.Logf("together again: %v", time.Since(began))
		})
	}
}

// A node that advertises an address other than its own is reached there by all.
func TestAdvertiseIsUsed(t *testing.T) {
	t.Parallel()
	l := newLink(t)
	c := config(t, member("a"))
	pace := c.tune
	c.tune = func(mc *memberlist.Config) {
		pace(mc)
		mc.PushPullInterval = time.Hour // else a hears from b by its own calls, and objects
	}
	a := start(t, l.through(c))
	if a.Addr() != l.tcp.Addr().String() || a.net.bound().String() == a.Addr() {
		t.Errorf("it listens at %v and advertises %s", a.net.bound(), a.Addr())
	}
	b := start(t, config(t, member("b"), a))
	sees(t, a, "a", "b")
	sees(t, b, "a", "b")
	w := watch(t, b, "a")
	l.set(true) // its own words still get out; nobody reaches it
	if why := gone(t, w, "a"); why != membership.Dead {
		t.Errorf("a is gone as %v", why)
	}
}
