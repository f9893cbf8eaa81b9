package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
)

// Everything works over TLS too, on both schemes, and a broken connection is
// broken.
func TestTLS(t *testing.T) {
	t.Parallel()
	srv, _ := startServer(t, node.Config{}, echoServer)
	front := httptest.NewTLSServer(srv.Handler(nil))
	t.Cleanup(front.Close)
	roots := x509.NewCertPool()
	roots.AddCert(front.Certificate())
	conf := &tls.Config{RootCAs: roots}
	for url, transports := range map[string][]client.Transport{
		front.URL: nil,
		"wss" + strings.TrimPrefix(front.URL, "https"): {client.WebSocket},
	} {
		c := dial(t, url, client.Config{Transports: transports, TLS: conf})
		s := connect(t, c, "/", nil)
		lost := make(chan client.Reason, 1)
		s.OnDisconnect(func(r client.Reason) { lost <- r })
		ctx := testContext(t)
		if v, err := client.Call[string](ctx, s, "echo", "x"); v != "x" || err != nil {
			t.Errorf("%s: %q, %v", url, v, err)
		}
		c.Drop()
		if r := next(t, lost, "disconnect"); r != client.TransportClose {
			t.Errorf("%s: reason %q", url, r)
		}
		if v, err := client.Call[string](ctx, s, "echo", "y"); v != "y" || err != nil {
			t.Errorf("%s: after the break %q, %v", url, v, err)
		}
	}
	if _, err := client.Dial(testContext(t), front.URL, client.Config{}); err == nil {
		t.Error("a certificate of nobody was trusted")
	}
}
