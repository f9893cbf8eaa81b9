package transport

import (
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestEventLimit(t *testing.T) {
	t.Parallel()
	limit := Config{Events: EventLimit{PerSecond: 10, Burst: 5, MaxPause: 2 * time.Second}}
	bubble(t, limit, func(t *testing.T, s *bubbled) {
		times := make(chan time.Duration, 100)
		s.app.onText = func(*Session, []byte) { times <- time.Since(s.begin) }
		c := s.dial("EIO=4")
		// A burst passes at once, what is above it at the rate.
		for range 10 {
			c.text("4a")
		}
		for i := range 10 {
			want := time.Duration(max(0, i-4)) * 100 * time.Millisecond
			if got := <-times; got != want {
				t.Errorf("message %d after %v, want %v", i, got, want)
			}
		}
		// Having been quiet fills the bucket again.
		<-time.After(time.Second)
		s.begin = time.Now()
		for range 5 {
			c.text("4a")
		}
		for range 5 {
			if got := <-times; got != 0 {
				t.Errorf("after %v", got)
			}
		}
		// Who does not slow down is held back for MaxPause and then sent away.
		<-time.After(time.Second)
		s.begin = time.Now()
		go func() {
			for range 100 {
				if _, err := c.conn.Write(frame(1, "4a")); err != nil {
					return
				}
			}
		}()
		if m := c.next(); m != "close " {
			t.Fatal(m)
		}
		if d := time.Since(s.begin); d != 1900*time.Millisecond && d != 2*time.Second {
			t.Errorf("ended after %v", d)
		}
		s.app.ends(t, ReasonRateLimit)
		// Of the first ten, of those that passed after, and the one that did not.
		if n, want := s.engine.Stats().Throttled, uint64(5+len(times)-5+1); n != want {
			t.Errorf("%d messages throttled, want %d", n, want)
		}
	})
}

// The limit is one of messages: heartbeats pass while a session is held back,
// and a session that ends meanwhile does not wait.
func TestEventLimitEnds(t *testing.T) {
	t.Parallel()
	limit := Config{Events: EventLimit{PerSecond: 0.001, MaxPause: time.Hour}}
	bubble(t, limit, func(t *testing.T, s *bubbled) {
		c := s.dial("EIO=4")
		c.text("4a")
		if m := c.next(); m != "text 4a" {
			t.Fatal(m)
		}
		c.text("4b")
		synctest.Wait()
		s.begin = time.Now()
		s.app.session(t).Abort(ReasonForcedClose)
		s.app.ends(t, ReasonForcedClose)
		if m := c.next(); m != "close " {
			t.Fatal(m)
		}
		s.at("end", 0)
	})
}

// A bucket never gives more than its burst and the rate allow in any window,
// and gives what it may.
func TestBucket(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := RateLimit{PerSecond: float64(rapid.IntRange(1, 1000).Draw(t, "rate")), Burst: rapid.IntRange(0, 50).Draw(t, "burst")}
		b := l.bucket()
		burst := l.Burst
		if burst == 0 {
			burst = int(l.PerSecond)
		}
		var full, now time.Duration
		tokens := float64(burst) // the plain idea: a number that grows with time
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			pass := rapid.SampledFrom([]time.Duration{0, 0, 0, time.Millisecond, 100 * time.Millisecond, time.Minute}).Draw(t, "pass")
			now += pass
			tokens = min(float64(burst), tokens+pass.Seconds()*l.PerSecond)
			trial := full
			wait := b.take(&trial, now)
			if wait > 0 && tokens >= 1.001 || wait == 0 && tokens < 0.999 {
				t.Fatalf("wait %v with %v tokens", wait, tokens)
			}
			if wait == 0 {
				full = trial
				tokens--
			}
		}
	})
}

func TestHandshakeLimit(t *testing.T) {
	t.Parallel()
	proxy := netip.MustParsePrefix("127.0.0.1/32")
	s := start(t, Config{Handshakes: RateLimit{PerSecond: 0.001, Burst: 2}, TrustedProxies: []netip.Prefix{proxy}})
	open := func(ip string) answer { return s.do("GET", "EIO=4&transport=polling", "", "X-Forwarded-For", ip) }
	for _, ip := range []string{"1.1.1.1", "1.1.1.1", "2.2.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"} {
		if a := open(ip); a.status != 200 {
			t.Errorf("%s: %d", ip, a.status)
		}
	}
	for _, ip := range []string{"1.1.1.1", "2001:db8::3"} { // of IPv6 the /64 counts
		a := open(ip)
		after, err := strconv.Atoi(a.header.Get("Retry-After"))
		if a.status != 503 || err != nil || after < 1 || after > 10 || a.body != `{"code":4,"message":"Too many handshakes"}` {
			t.Errorf("%s: %d %s %v", ip, a.status, a.body, a.header)
		}
	}
	p := s.openPolling("EIO=4") // of the proxy itself
	p.posts("4a")               // and requests of a session are not counted
	p.posts("4b")
	p.polls("4a\x1e4b")
	if c := s.knock("EIO=4&transport=websocket", "X-Forwarded-For", "1.1.1.1"); c.accept.StatusCode != 503 {
		t.Errorf("websocket: %d", c.accept.StatusCode)
	}
	if st := s.engine.Stats(); st.RefusedFull != 3 || st.Sessions != 7 {
		t.Errorf("%+v", st)
	}
}

// The memory of addresses is bounded, and an address is remembered for as long
// as it matters.
func TestAddressLimiter(t *testing.T) {
	t.Parallel()
	l := newAddressLimiter(RateLimit{PerSecond: 1, Burst: 10})
	ip := netip.MustParseAddr("1.1.1.1")
	for i := range 10 {
		if !l.allow(ip, 0) {
			t.Fatalf("handshake %d refused", i)
		}
	}
	for now := time.Duration(0); now < 100*time.Second; now += 100 * time.Millisecond {
		// One a second from here on, whatever generation it is in.
		if got, want := l.allow(ip, now), now > 0 && now%time.Second == 0; got != want {
			t.Fatalf("after %v: %v", now, got)
		}
	}
	addr := netip.MustParseAddr("10.0.0.0")
	for range 5 * maxAddresses {
		l.allow(addr, 200*time.Second)
		addr = addr.Next()
	}
	if n := len(l.recent) + len(l.older); n > 2*maxAddresses {
		t.Errorf("%d addresses", n)
	}
	if !l.allow(netip.Addr{}, 0) || !(*addressLimiter)(nil).allow(ip, 0) {
		t.Error("refused without a limit or an address")
	}
}

func TestMaxSessions(t *testing.T) {
	t.Parallel()
	s := start(t, Config{MaxSessions: 2})
	p := s.openPolling("EIO=4")
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	a := s.do("GET", "EIO=4&transport=polling", "")
	if a.status != 503 || a.header.Get("Retry-After") == "" || a.body != `{"code":4,"message":"Server is full"}` {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	if c := s.knock("EIO=4&transport=websocket"); c.accept.StatusCode != 503 {
		t.Errorf("%d", c.accept.StatusCode)
	}
	p.posts("4a") // those inside are served
	p.polls("4a")
	up := p.upgrade()
	up.text("2probe")
	up.expect("3probe")
	up.text("5")
	c.text("1")
	c.closes(1005)
	eventually(t, "room", func() bool { return s.engine.Len() == 1 })
	s.openPolling("EIO=4")
}

// A function of the configuration that panics takes no place for ever.
func TestMaxSessionsAfterPanics(t *testing.T) {
	t.Parallel()
	principal := func(r *http.Request) string {
		if r.Header.Get("X-Panic") != "" {
			panic(http.ErrAbortHandler)
		}
		return ""
	}
	initial := func(_ http.Header, r *http.Request) {
		if r.Header.Get("X-Later") != "" {
			panic(http.ErrAbortHandler)
		}
	}
	s := start(t, Config{MaxSessions: 1, Principal: principal, InitialHeaders: initial})
	for _, header := range []string{"X-Panic", "X-Later"} {
		for _, transport := range []string{Polling, WebSocket} {
			if transport == Polling && header == "X-Later" {
				continue // the session is there by then, and ends by its heartbeat
			}
			var h []string
			if transport == WebSocket {
				h = []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
			}
			if a, err := s.try(t.Context(), "GET", "EIO=4&transport="+transport, "", append(h, header, "1")...); err == nil {
				t.Errorf("%s, %s: %d", transport, header, a.status)
			}
		}
	}
	eventually(t, "room", func() bool { return s.engine.Len() == 0 })
	s.openPolling("EIO=4")
}
