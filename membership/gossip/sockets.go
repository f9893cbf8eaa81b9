package gossip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxStreams bounds the connections of others that are open at a time.
	// Each is allowed streamTimeout.
	maxStreams = 256

	// maxStreamBytes bounds what is read from one connection: the state of
	// maxMembers members takes less.
	maxStreamBytes = 4 << 20

	maxDatagram = 64 << 10
)

// sockets is the transport that memberlist uses: one UDP and one TCP socket
// with the same port. Other than memberlist's own it bounds what others can make
// it hold, and leaves nothing behind.
type sockets struct {
	tcp       *net.TCPListener
	udp       *net.UDPConn
	advertise netip.AddrPort
	log       *slog.Logger

	packets chan *memberlist.Packet
	streams chan net.Conn
	slots   chan struct{} // one for each connection of others that is open
	refused atomic.Uint64 // connections over the bound

	life context.Context // ends dials and readers
	end  context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex
	open   map[*stream]struct{}
	closed bool
	idle   chan struct{} // if not nil, closed when no connection of others is open
}

var _ memberlist.NodeAwareTransport = (*sockets)(nil)

// listen opens both sockets. With port 0 the system chooses one that is free
// for both.
func listen(ctx context.Context, c Config) (*sockets, error) {
	list, err := resolve(ctx, c.lookup, c.Listen)
	if err != nil {
		return nil, fmt.Errorf("gossip: listen: %w", err)
	}
	if len(c.Secrets) == 0 && !list[0].Addr().IsLoopback() {
		return nil, fmt.Errorf("%w: none are given to listen at %v, which is not a loopback address", ErrSecrets, list[0])
	}
	tcp, udp, err := bind(list[0])
	if err != nil {
		return nil, fmt.Errorf("gossip: listen: %w", err)
	}
	s := &sockets{
		tcp: tcp, udp: udp, log: c.Logger,
		packets: make(chan *memberlist.Packet),
		streams: make(chan net.Conn),
		slots:   make(chan struct{}, maxStreams),
		open:    make(map[*stream]struct{}),
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.advertise, err = c.advertised(ctx, s.bound())
	switch {
	case err != nil:
		err = fmt.Errorf("gossip: advertise: %w", err)
	case len(c.Secrets) == 0 && !s.advertise.Addr().IsLoopback():
		err = fmt.Errorf("%w: none are given to advertise %v, which is not a loopback address", ErrSecrets, s.advertise)
	}
	s.wg.Go(s.readPackets)
	s.wg.Go(s.acceptStreams)
	if err != nil {
		_ = s.Shutdown() // never fails
		return nil, err
	}
	return s, nil
}

// bind opens a TCP and a UDP socket with one port. A port that the system chose
// for TCP may be taken for UDP; then it chooses again.
func bind(a netip.AddrPort) (*net.TCPListener, *net.UDPConn, error) {
	for tries := 10; ; tries-- {
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(a))
		if err != nil {
			return nil, nil, err
		}
		at := netip.AddrPortFrom(a.Addr(), tcp.Addr().(*net.TCPAddr).AddrPort().Port())
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err == nil {
			return tcp, udp, nil
		}
		_ = tcp.Close() // it never served
		if a.Port() != 0 || tries == 0 {
			return nil, nil, err
		}
	}
}

// bound returns the address of the sockets.
func (s *sockets) bound() netip.AddrPort {
	a := s.tcp.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// FinalAdvertiseAddr implements memberlist.Transport.
func (s *sockets) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return s.advertise.Addr().AsSlice(), int(s.advertise.Port()), nil
}

// PacketCh implements memberlist.Transport.
func (s *sockets) PacketCh() <-chan *memberlist.Packet { return s.packets }

// StreamCh implements memberlist.Transport.
func (s *sockets) StreamCh() <-chan net.Conn { return s.streams }

// WriteTo implements memberlist.Transport.
func (s *sockets) WriteTo(b []byte, addr string) (time.Time, error) {
	return s.WriteToAddress(b, memberlist.Address{Addr: addr})
}

// WriteToAddress implements memberlist.NodeAwareTransport.
func (s *sockets) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	to, err := netip.ParseAddrPort(a.Addr)
	if err != nil {
		return time.Time{}, err
	}
	_, err = s.udp.WriteToUDPAddrPort(b, netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
	return time.Now(), err
}

// DialTimeout implements memberlist.Transport.
func (s *sockets) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return s.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (s *sockets) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout}
	conn, err := d.DialContext(s.life, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	return s.adopt(conn, nil)
}

// Shutdown implements memberlist.Transport. It closes all sockets and
// connections and returns when nobody reads from them any more.
func (s *sockets) Shutdown() error {
	s.mu.Lock()
	s.closed = true
	open := s.open
	s.open = nil
	s.mu.Unlock()
	s.end()
	_ = s.tcp.Close() // nothing was written to it
	_ = s.udp.Close() // what is lost of it may always be lost
	for c := range open {
		_ = c.Close() // whoever uses it gets the error
	}
	s.wg.Wait()
	return nil
}

// readPackets is the goroutine that receives from the UDP socket.
func (s *sockets) readPackets() {
	buf := make([]byte, maxDatagram)
	for failed := 0; ; {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if !s.pause(&failed, err) {
				return
			}
			continue
		}
		failed = 0
		if n == 0 {
			continue
		}
		p := &memberlist.Packet{
			Buf:       append([]byte(nil), buf[:n]...),
			From:      net.UDPAddrFromAddrPort(netip.AddrPortFrom(from.Addr().Unmap(), from.Port())),
			Timestamp: time.Now(),
		}
		select {
		case s.packets <- p:
		case <-s.life.Done():
			return
		}
	}
}

// acceptStreams is the goroutine that accepts TCP connections.
func (s *sockets) acceptStreams() {
	for failed := 0; ; {
		conn, err := s.tcp.AcceptTCP()
		if err != nil {
			if !s.pause(&failed, err) {
				return
			}
			continue
		}
		failed = 0
		select {
		case s.slots <- struct{}{}:
		default:
			s.refused.Add(1)
			_ = conn.Close() // refused
			continue
		}
		c, err := s.adopt(conn, s.slots)
		if err != nil {
			return // closed meanwhile
		}
		select {
		case s.streams <- c:
		case <-s.life.Done():
			_ = c.Close() // nobody will use it
			return
		}
	}
}

// pause waits after an error of a socket, longer each time, so that an error
// that persists costs no processor. It returns false when the socket was closed.
func (s *sockets) pause(failed *int, err error) bool {
	if s.life.Err() != nil {
		return false
	}
	s.log.Warn("gossip socket", "err", err)
	*failed = min(*failed+1, 8)
	t := time.NewTimer(5 * time.Millisecond << *failed)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.life.Done():
		return false
	}
}

// adopt keeps a connection to close it at the end. slots, if not nil, is
// received from when the connection is closed.
func (s *sockets) adopt(conn net.Conn, slots <-chan struct{}) (net.Conn, error) {
	c := &stream{Conn: conn, of: s, slots: slots, left: maxStreamBytes}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close() // too late
		return nil, net.ErrClosed
	}
	s.open[c] = struct{}{}
	return c, nil
}

// quiet waits until no connection of others is open, or for d.
func (s *sockets) quiet(d time.Duration) {
	s.mu.Lock()
	idle := make(chan struct{})
	s.idle = idle
	s.wakeIdle()
	s.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
}

// wakeIdle ends quiet if there is nothing to wait for. The caller holds mu.
func (s *sockets) wakeIdle() {
	if s.idle != nil && len(s.slots) == 0 {
		close(s.idle)
		s.idle = nil
	}
}
