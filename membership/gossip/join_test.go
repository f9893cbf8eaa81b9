package gossip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// names is a resolver whose answers change.
type names struct {
	mu    sync.Mutex
	addrs []netip.Addr
	asked chan struct{} // capacity 1
}

func (n *names) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case n.asked <- struct{}{}:
	default:
	}
	if host != "nodes" || n.addrs == nil {
		return nil, errors.New("no such host")
	}
	return n.addrs, nil
}

func (n *names) set(addrs ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addrs = addrs
}

// A name that had no address at the start is asked for again, and each of its
// addresses is tried.
func TestNamesAreResolvedAgain(t *testing.T) {
	t.Parallel()
	b := start(t, config(t, member("b")))
	n := &names{asked: make(chan struct{}, 1)}
	c := config(t, member("a"))
	c.Join = []string{"nodes:" + strconv.Itoa(int(b.net.bound().Port()))}
	c.Rejoin = 50 * time.Millisecond
	c.lookup = n.lookup
	log := newRecord()
	c.Logger = log.logger()
	a := start(t, c)
	log.await(t, "no other node was reached")
	for range 2 {
		<-n.asked
	}
	if ids(a) != "a" || a.Stats().JoinFailures == 0 {
		t.Errorf("a sees %s, %+v", ids(a), a.Stats())
	}
	// Nobody listens at the first.
	n.set(netip.MustParseAddr("127.0.0.99"), netip.MustParseAddr("127.0.0.1"))
	sees(t, a, "a", "b")
	sees(t, b, "a", "b")
	// The two see each other before the exchange that told them of it has ended,
	// and only its end counts.
	for end := time.Now().Add(wait); a.Stats().Joined == 0; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", a.Stats())
		}
	}
	if s := a.Stats(); s.Members != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRealNames(t *testing.T) {
	t.Parallel()
	b := start(t, config(t, member("b")))
	c := config(t, member("a"))
	c.Join = []string{net.JoinHostPort("localhost", strconv.Itoa(int(b.net.bound().Port())))}
	a := start(t, c)
	sees(t, a, "a", "b")
}

// A node does not join itself, whatever the list says, and in a healthy cluster
// nobody is asked again.
func TestNobodyToJoin(t *testing.T) {
	t.Parallel()
	c := config(t, member("a"))
	c.Join = []string{"127.0.0.1:1"} // until its own port is known
	pace := c.tune
	c.tune = func(mc *memberlist.Config) {
		pace(mc)
		c.Join[0] = "127.0.0.1:" + strconv.Itoa(mc.BindPort)
	}
	log := newRecord()
	c.Logger = log.logger()
	a := start(t, c)
	if s := a.Stats(); s.Joined != 0 || s.JoinFailures != 0 {
		t.Errorf("%+v", s)
	}
	b := start(t, config(t, member("b"), a))
	sees(t, a, "a", "b")
	if strings.Contains(log.String(), "no other node") {
		t.Errorf("a node alone on its list complains:\n%s", log)
	}
	if list := a.candidates(t.Context()); len(list) != 0 {
		t.Errorf("a would try %v", list)
	}
	if b.contact(a.net.advertise) || b.Stats().Joined != 1 {
		t.Errorf("b asks a member again: %+v", b.Stats())
	}
}

// Start gives up when its context ends, and leaves nothing behind.
func TestStartEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := config(t, member("a"))
	c.Join = []string{"nodes:1"}
	asked := make(chan struct{})
	c.lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	go func() {
		<-asked
		cancel()
	}()
	if g, err := Start(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", g, err)
	}
}

// Addresses of members that died are tried again, a few at a time, and not for
// ever.
func TestLost(t *testing.T) {
	t.Parallel()
	a := start(t, config(t, member("a")))
	a.settle.Lock()
	for i := range 2 * maxLost {
		a.remember(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(i+1)))
	}
	if len(a.lost) != maxLost {
		t.Errorf("%d remembered", len(a.lost))
	}
	a.settle.Unlock()
	if n := len(a.someLost()); n != lostATime {
		t.Errorf("%d tried", n)
	}
	a.settle.Lock()
	defer a.settle.Unlock()
	for k := range a.lost {
		a.lost[k] = time.Now().Add(-2 * lostTime)
	}
	a.remember(netip.MustParseAddrPort("127.0.0.1:9"))
	if len(a.lost) != 1 {
		t.Errorf("%d old ones are kept", len(a.lost))
	}
	clear(a.lost)
}

// A node that is alone for long tries on.
func TestAloneForLong(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, member("a"))
	c.Join = []string{ln.Addr().String()}
	_ = ln.Close()
	c.Rejoin = time.Millisecond
	a := start(t, c)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); a.Stats().JoinFailures < 100; <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("it tried %d times", a.Stats().JoinFailures)
		}
	}
}
