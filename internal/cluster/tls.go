package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// load reads the files. It returns nil if there are none.
func (t TLS) load() (*tls.Config, error) {
	if t.none() {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("cluster: certificate %s with key %s: %w", t.Cert, t.Key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("cluster: authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cluster: authorities: %s has no certificate in PEM form", t.CA)
		}
		c.ClientCAs = c.RootCAs
	}
	return c, nil
}
