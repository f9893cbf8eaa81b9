package testaddr

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// Free is an address of loopback that is free for TCP and UDP, and stays so for a
// server that is started later, or again: systems give the ports below 32,768 to
// nobody who does not ask for one (Linux ip_local_port_range; RFC 6335 6 says
// 49,152), and no other call in this process gave this one away.
func Free(t testing.TB) string {
	t.Helper()
	const first, ports = 20_000, 12_000
	for range 100 {
		port := first + (firstPort+int(given.Add(1)))%ports
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if free(addr) {
			return addr
		}
	}
	t.Fatal("a hundred ports in a row are in use")
	return ""
}

func free(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = l.Close() }()
	p, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	_ = p.Close()
	return true
}

// Processes of tests that run at the same time start at different ports.
var (
	firstPort = rand.IntN(1 << 20)
	given     atomic.Uint32
)
