package forward

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// newTransport returns the pool of connections for polls and POSTs: HTTP/2 only,
// so that thousands of polls share a few connections, and a body ends where its
// frames say and nowhere else.
func (f *Forwarder) newTransport() *http.Transport {
	t := &http.Transport{
		Protocols:          new(http.Protocols),
		DialContext:        f.dialPooled,
		DialTLSContext:     f.dialPooledTLS,
		DisableCompression: true, // what the client accepts is the client's to say
		IdleConnTimeout:    idleTimeout,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: f.cfg.CheckInterval, PingTimeout: f.cfg.CheckTimeout, WriteByteTimeout: f.cfg.WriteTimeout,
			MaxReceiveBufferPerStream: streamBuffer,
		},
	}
	if f.cfg.TLS != nil {
		t.Protocols.SetHTTP2(true)
	} else {
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	return t
}

func (f *Forwarder) scheme() string {
	if f.cfg.TLS != nil {
		return "https"
	}
	return "http"
}

// pooled is a connection that Shutdown closes.
type pooled struct {
	net.Conn
	f *Forwarder
}

// Close implements net.Conn.
func (c *pooled) Close() error {
	c.f.mu.Lock()
	delete(c.f.conns, c)
	c.f.mu.Unlock()
	return c.Conn.Close()
}

func (f *Forwarder) dialPooled(ctx context.Context, _, addr string) (net.Conn, error) {
	nc, err := f.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c := &pooled{nc, f}
	f.mu.Lock()
	closed := f.conns == nil
	if !closed {
		f.conns[c] = struct{}{}
	}
	f.mu.Unlock()
	if closed {
		_ = nc.Close()
		return nil, &failure{Closing, net.ErrClosed}
	}
	return c, nil
}

func (f *Forwarder) dialPooledTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := f.dialPooled(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return f.secure(ctx, c, addr, "h2")
}

// secure makes the TLS handshake with a home.
func (f *Forwarder) secure(ctx context.Context, nc net.Conn, addr, protocol string) (net.Conn, error) {
	cfg := f.cfg.TLS.Clone()
	cfg.NextProtos = []string{protocol}
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		cfg.ServerName = host
	}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.DialTimeout)
	defer cancel()
	c := tls.Client(nc, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, &failure{HomeDead, err}
	}
	return c, nil
}
