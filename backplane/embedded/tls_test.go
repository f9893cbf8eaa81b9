package embedded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// authority signs certificates for 127.0.0.1.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	a.cert, a.key = a.sign(t, template, template, nil)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(t *testing.T, template, by *x509.Certificate, with *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if with == nil {
		with = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, &key.PublicKey, with)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// config returns what a server signed by the authority uses on routes.
func (a *authority) config(t *testing.T) *tls.Config {
	t.Helper()
	cert, key := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.cert, a.key)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		RootCAs:      a.pool,
	}
}

func TestRoutesWithTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	var text logged
	m := newMesh(func(c *Config) {
		c.Routes.TLS, c.Logger = ca.config(t), text.logger(slog.LevelDebug)
	})
	a, b := m.start(t, "a"), m.start(t, "b")
	reaches(t, a, b)
	reaches(t, b, a)
	c := m.start(t, "c") // by a reload that leaves TLS as it was
	eventually(t, "routes", func() error { return hasRoutes(a, others([]*Server{a, b, c}, a)) })
	reaches(t, a, c)

	// The listener takes nobody without a certificate of the authority.
	for what, cfg := range map[string]*tls.Config{
		"none":    {RootCAs: ca.pool},
		"foreign": {RootCAs: ca.pool, Certificates: newAuthority(t).config(t).Certificates},
	} {
		if err := knock(a.RouteAddr(), cfg); err == nil {
			t.Errorf("%s certificate: let in", what)
		}
	}
	if err := knock(a.RouteAddr(), ca.config(t)); err != nil {
		t.Errorf("its own certificate: %v", err)
	}
	for _, s := range []*Server{a, b, c} {
		if s.routeTLS.ClientAuth != tls.RequireAndVerifyClientCert || s.routeTLS.ClientCAs == nil {
			t.Error("routes do not ask for certificates")
		}
	}

	// A server with a foreign certificate gets no route, with the right secret.
	other := newAuthority(t)
	m.change = func(c *Config) { c.Routes.TLS = other.config(t) }
	d := m.start(t, "d")
	eventually(t, "d is refused", func() error {
		if !strings.Contains(text.String(), "TLS route handshake error") {
			return errors.New("not yet")
		}
		return nil
	})
	isolated(t, a, d)
	isolated(t, d, a)
}

// knock connects with TLS to a route listener, which begins in clear text, and
// waits for what it has to say then.
func knock(addr string, cfg *tls.Config) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	cfg.ServerName = "127.0.0.1"
	client := tls.Client(conn, cfg)
	if err := client.Handshake(); err != nil {
		return err
	}
	_, err = client.Read(make([]byte, 1)) // refusals come after the handshake
	return err
}

func TestOneStoreWithTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	m := newMesh(func(c *Config) { c.Store, c.Routes.TLS = 1, ca.config(t) })
	store := stores(t, m, "s1")["s1"]
	put(t, store, jetstream.MemoryStorage, 1, "one")
	if got := last(t, store); got != "one" {
		t.Errorf("the newest entry is %q", got)
	}
}

func TestClientListenerWithTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	s := start(t, Config{Name: "a", Listen: "127.0.0.1:0", ListenTLS: ca.config(t)})
	connect(t, s) // within the process nothing changes
	user := nats.UserInfo(s.Credentials(Emitter))
	dial(t, "tls://"+s.ClientAddr(), user, nats.Secure(&tls.Config{RootCAs: ca.pool}))
	if nc, err := nats.Connect("tls://"+s.ClientAddr(), user, nats.Timeout(20*time.Second)); err == nil {
		nc.Close()
		t.Error("a client took an unknown authority")
	}
}
