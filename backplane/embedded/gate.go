package embedded

import (
	"crypto/subtle"
	"crypto/tls"

	natsd "github.com/nats-io/nats-server/v2/server"
)

// mutual completes the TLS configuration of routes: each end shows a certificate
// and checks that of the other.
func mutual(c *tls.Config) *tls.Config {
	if c == nil {
		return nil
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	if c.ClientAuth < tls.RequireAndVerifyClientCert {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if c.ClientCAs == nil {
		c.ClientCAs = c.RootCAs
	}
	if c.RootCAs == nil {
		c.RootCAs = c.ClientCAs
	}
	return c
}

// routeGate lets servers in that know any of the secrets.
type routeGate struct{ passwords []string }

// Check implements natsd.Authentication.
func (g *routeGate) Check(c natsd.ClientAuthentication) bool {
	o := c.GetOpts()
	ok := false
	for _, p := range g.passwords {
		ok = same(o.Password, p) || ok
	}
	return o.Username == routeUser && ok
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
