package transport

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// clientIP is the address that a request comes from: of the TCP peer, or, if
// that is a trusted proxy, the last one of hops, the values of X-Forwarded-For,
// that is not. What stands before it the client may have made up.
func (e *Engine) clientIP(remoteAddr string, hops []string) netip.Addr {
	ip := peerIP(remoteAddr)
	if !e.trusted(ip) {
		return ip
	}
	for i := len(hops) - 1; i >= 0; i-- {
		for list := hops[i]; list != ""; {
			at := strings.LastIndexByte(list, ',')
			hop, err := netip.ParseAddr(strings.TrimSpace(list[at+1:]))
			if err != nil {
				return ip
			}
			ip = hop.Unmap().WithZone("")
			if !e.trusted(ip) {
				return ip
			}
			list = list[:max(at, 0)]
		}
	}
	return ip
}

// reachedBy is the scheme, "http" or "https", and the host by which a client
// reached the engine: those of the request, or what a trusted proxy says that
// they were.
func (e *Engine) reachedBy(r *http.Request) (scheme, host string) {
	scheme, host = "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if len(e.cfg.TrustedProxies) == 0 || !e.trusted(peerIP(r.RemoteAddr)) {
		return scheme, host
	}
	// Of several the first is the client's side.
	if v, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ","); v != "" {
		host = strings.TrimSpace(v)
	}
	switch v, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ","); strings.ToLower(strings.TrimSpace(v)) {
	case "https", "wss": // some proxies name the scheme of a WebSocket's URL
		scheme = "https"
	case "http", "ws":
		scheme = "http"
	}
	return scheme, host
}

// peerIP is the address of a TCP peer, or not valid.
func peerIP(remoteAddr string) netip.Addr {
	ap, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

func (e *Engine) trusted(ip netip.Addr) bool {
	for _, p := range e.cfg.TrustedProxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// addressLimiter bounds the handshakes of one address; of IPv6 it counts the
// /64, which is what one customer has. It remembers an address for as long as
// its bucket takes to fill, and less when there are very many, so that its
// memory is bounded.
type addressLimiter struct {
	rate bucketRate

	mu sync.Mutex
	// When the buckets are full again, in two generations: the older one is
	// forgotten as a whole.
	recent, older map[netip.Addr]time.Duration
	rotate        time.Duration // when
}

// maxAddresses is how many addresses a generation holds at most.
const maxAddresses = 1 << 16

func newAddressLimiter(l RateLimit) *addressLimiter {
	if l.PerSecond <= 0 {
		return nil
	}
	return &addressLimiter{rate: l.bucket(), recent: make(map[netip.Addr]time.Duration)}
}

// allow takes one handshake of the address and reports whether there was one.
// A nil limiter has any number.
func (l *addressLimiter) allow(ip netip.Addr, now time.Duration) bool {
	if l == nil || !ip.IsValid() { // of a Unix socket, say: there is nobody to tell apart
		return true
	}
	if ip.Is6() {
		p, _ := ip.Prefix(64)
		ip = p.Addr()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now >= l.rotate || len(l.recent) >= maxAddresses {
		l.recent, l.older = make(map[netip.Addr]time.Duration), l.recent
		l.rotate = now + l.rate.depth
	}
	full, ok := l.recent[ip]
	if !ok {
		full = l.older[ip]
	}
	taken := full
	allowed := l.rate.take(&taken, now) == 0
	if allowed {
		full = taken
	}
	l.recent[ip] = full
	return allowed
}
