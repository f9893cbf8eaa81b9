package gossip

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

func openSockets(t *testing.T) *sockets {
	t.Helper()
	s, err := listen(t.Context(), config(t, member("a")).withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown() })
	return s
}

func dial(t *testing.T, s *sockets) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.bound().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestPacketsArrive(t *testing.T) {
	t.Parallel()
	a, b := openSockets(t), openSockets(t)
	large := bytes.Repeat([]byte("x"), 60_000)
	for _, want := range [][]byte{[]byte("one"), large, {}, []byte("two")} {
		if _, err := a.WriteTo(want, b.bound().String()); err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 {
			continue // is not passed on
		}
		p := <-b.PacketCh()
		if !bytes.Equal(p.Buf, want) || p.From.String() != a.bound().String() || cap(p.Buf) > 2*len(want)+64 {
			t.Errorf("%d bytes of capacity %d from %v, want %d", len(p.Buf), cap(p.Buf), p.From, len(want))
		}
	}
	if _, err := a.WriteToAddress(large, memberlist.Address{Addr: "name:1"}); err == nil {
		t.Error("names are resolved for packets")
	}
}

// Connections over the bound are closed at once, and one that ends makes room.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	s := openSockets(t)
	var served []net.Conn
	for range maxStreams {
		dial(t, s)
		served = append(served, <-s.StreamCh())
	}
	over := dial(t, s)
	if _, err := over.Read(make([]byte, 1)); err == nil {
		t.Error("a connection over the bound is served")
	}
	if n := s.refused.Load(); n != 1 {
		t.Errorf("%d were refused", n)
	}
	_ = served[0].Close()
	_ = served[0].Close() // twice does no harm
	dial(t, s)
	if c := <-s.StreamCh(); c == nil {
		t.Error("no room after one ended")
	}
}

func TestStreamIsBounded(t *testing.T) {
	t.Parallel()
	s := openSockets(t)
	c := dial(t, s)
	go func() {
		_, _ = c.Write(make([]byte, maxStreamBytes+1)) // the rest is not read
	}()
	in := <-s.StreamCh()
	defer in.Close()
	n, err := io.Copy(io.Discard, in)
	if n != maxStreamBytes || !errors.Is(err, errStreamTooLong) {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// After a failed write nothing of a connection is kept.
func TestFailedWriteCloses(t *testing.T) {
	t.Parallel()
	a, b := openSockets(t), openSockets(t)
	c, err := a.DialTimeout(b.bound().String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("a write past its deadline succeeds")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.open) != 0 {
		t.Error("the connection is kept")
	}
}

// Shutdown ends what others wait for, and all that comes later.
func TestShutdown(t *testing.T) {
	t.Parallel()
	a, b := openSockets(t), openSockets(t)
	out, err := a.DialTimeout(b.bound().String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	in := <-b.StreamCh()
	dial(t, b) // and nobody takes it
	ended := make(chan error, 2)
	for _, c := range []net.Conn{in, out} {
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
	}
	if err := b.Shutdown(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("something was read")
		}
	}
	if _, err := b.DialTimeout(a.bound().String(), time.Minute); err == nil {
		t.Error("it still dials")
	}
	if _, err := a.DialTimeout(b.bound().String(), time.Minute); err == nil {
		t.Error("it still accepts")
	}
	if err := b.Shutdown(); err != nil {
		t.Error(err)
	}
}

// Leave waits for exchanges under way, and not for ever.
func TestQuiet(t *testing.T) {
	t.Parallel()
	s := openSockets(t)
	s.quiet(time.Hour) // nothing is under way
	dial(t, s)
	in := <-s.StreamCh()
	s.quiet(time.Nanosecond)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.quiet(time.Hour)
	}()
	_ = in.Close()
	<-done
}
