package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// tlsConfigs makes a certificate for the loopback address, for the server and
// for its clients.
func tlsConfigs(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	return server, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

func startTLS(t *testing.T, cfg Config) *server {
	t.Helper()
	sc, cc := tlsConfigs(t)
	return startServer(t, cfg, &http.Server{TLSConfig: sc}, cc)
}

// Browsers poll over HTTP/2 where the server speaks it.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	s := startTLS(t, Config{})
	s.http.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	p := s.openPolling("EIO=4")
	p.posts("4hello")
	p.polls("4hello")
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url(p.query), strings.NewReader("a body"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 || resp.ProtoMajor != 2 {
		t.Errorf("GET with a body: %s by %s", resp.Status, resp.Proto)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := startTLS(t, Config{Cookie: &Cookie{}})
	p := s.openPolling("EIO=4")
	x := p.session()
	if !x.Handshake().Secure {
		t.Error("not secure")
	}
	if a := s.do("GET", "EIO=4&transport=polling", "", "Origin", "https://"+s.addr); a.status != 200 || !contains(a.header.Get("Set-Cookie"), "; Secure") {
		t.Errorf("%d %v", a.status, a.header)
	}
	p.posts("4a")
	p.polls("4a")
	c := p.upgrade()
	c.text("2probe")
	c.expect("3probe")
	c.text("5")
	c.send(ws.OpPing, "x")
	if m, err := c.next(); err != nil || string(m.Data) != "x" {
		t.Fatal(err)
	}
	c.text("4" + strings.Repeat("b", 100_000))
	c.expect("4" + strings.Repeat("b", 100_000))
	// Casts and direct messages keep their order through the queue.
	for i := range 500 {
		m := NewText([]byte(strconv.Itoa(i)))
		if i%2 == 0 {
			x.shard.Post(Cast{Message: m, To: []Recipient{{Session: x}}})
		} else if !x.Send(m, 0, false) {
			t.Fatal("not taken")
		}
	}
	for i := range 500 {
		c.expect("4" + strconv.Itoa(i))
	}
	x.Close("")
	c.closes(1005)
	c.over()
}

func TestTLSCloses(t *testing.T) {
	t.Parallel()
	t.Run("by the client", func(t *testing.T) {
		t.Parallel()
		s := startTLS(t, Config{})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		c.send(ws.OpClose, "\x03\xe8")
		c.closes(1000)
		c.over()
		s.app.ends(t, ReasonTransportClose)
	})
	t.Run("after a violation", func(t *testing.T) {
		t.Parallel()
		s := startTLS(t, Config{})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		c.send(3, "")
		c.closes(1002)
		c.over()
		s.app.ends(t, ReasonTransportError)
	})
	t.Run("abort", func(t *testing.T) {
		t.Parallel()
		s := startTLS(t, Config{})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		s.app.session(t).Abort("")
		c.closes(1005)
		c.over()
	})
	t.Run("second websocket", func(t *testing.T) {
		t.Parallel()
		s := startTLS(t, Config{})
		p := s.openPolling("EIO=4")
		p.upgrade()
		p.upgrade().closes(1005)
	})
}

// A client under TLS that reads nothing blocks nobody: not the shard, not the
// heartbeats, not a caller; and it is ended by the bound of its queue.
func TestTLSDoesNotBlock(t *testing.T) {
	t.Parallel()
	s := startTLS(t, Config{Shards: 1, Queue: Queue{MaxBytes: 1 << 20}, WriteTimeout: time.Hour, CloseTimeout: time.Hour})
	deaf := s.dial("EIO=4&transport=websocket")
	deaf.opens()
	x := s.app.session(t)
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	y := s.app.session(t)
	big := NewText([]byte(strings.Repeat("x", 64<<10)))
	both := []Recipient{{Session: x}, {Session: y}}
	for n := 0; s.engine.Len() == 2; n++ {
		if n > 10_000 {
			t.Fatal("the deaf client is never ended")
		}
		x.shard.Post(Cast{Message: big, To: both})
		if m, err := c.next(); err != nil || len(m.Data) != 1+64<<10 {
			t.Fatalf("%d bytes, %v", len(m.Data), err)
		}
	}
	s.app.ends(t, ReasonSlowConsumer)
	if st := s.engine.Stats(); st.SlowConsumers != 1 {
		t.Errorf("%+v", st)
	}
}

// Volatile messages under TLS are dropped only when the client is behind, not
// because the way leads through a queue.
func TestTLSVolatile(t *testing.T) {
	t.Parallel()
	s := startTLS(t, Config{WriteTimeout: time.Hour})
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	x := s.app.session(t)
	for i := range 50 {
		if !x.Send(NewText([]byte(strconv.Itoa(i))), 0, true) {
			t.Fatalf("message %d was dropped", i)
		}
	}
	for i := range 50 {
		c.expect("4" + strconv.Itoa(i))
	}
	fillSocket(t, x)
	x.Send(NewText(make([]byte, 100<<10)), 0, false)
	eventually(t, "a volatile message to be dropped", func() bool { return !x.Send(NewText([]byte("v")), 0, true) })
}
