package forward

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The headers of this package. In requests they carry what HTTP would say of
// the first node instead of the client.
const (
	prefix = "Siod-Forward"

	headVersion = "Siod-Forward"        // version of all this, in requests and answers
	headTo      = "Siod-Forward-To"     // boot id of the home
	headPass    = "Siod-Forward-Pass"   // see keyring
	headClient  = "Siod-Forward-Client" // http.Request.RemoteAddr
	headHost    = "Siod-Forward-Host"
	headURI     = "Siod-Forward-Uri" // path and query
	headProto   = "Siod-Forward-Proto"
	headTLS     = "Siod-Forward-Tls"  // see tlsText; absent: the client came in clear text
	headCert    = "Siod-Forward-Cert" // client's certificates, in base64, its own first

	headClose   = "Siod-Forward-Close"   // of an answer: the client's connection is to be closed
	headRefused = "Siod-Forward-Refused" // of an answer: why the home did not take the request
)

const version = "1"

// Values of headRefused.
const (
	refusedPass    = "pass"
	refusedTo      = "to" // this is another boot than was asked for
	refusedRequest = "request"
)

// ours reports whether a header is this package's.
func ours(key string) bool { return strings.HasPrefix(key, prefix) }

// ofConnection tells the headers that belong to one connection (RFC 9110,
// 7.6.1) and have no place in HTTP/2 (RFC 9113, 8.2.2). What a client lists
// under Connection beside them is not removed: this is not another hop, the
// home sees what the first node saw.
func ofConnection(key string) bool {
	switch key {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect":
		return true
	}
	return false
}

// outgoing returns the headers of the request to the home.
func (f *Forwarder) outgoing(r *http.Request, home string) http.Header {
	h := make(http.Header, len(r.Header)+10)
	for k, vs := range r.Header {
		if !ofConnection(k) && !ours(k) {
			h[k] = vs
		}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // net/http would add its own
	}
	h[headVersion] = []string{version}
	h[headTo] = []string{home}
	h[headPass] = []string{f.keys.pass(home)}
	h[headClient] = []string{r.RemoteAddr}
	h[headHost] = []string{r.Host}
	h[headURI] = []string{r.URL.RequestURI()}
	h[headProto] = []string{r.Proto}
	if r.TLS != nil {
		h[headTLS] = []string{tlsText(r.TLS)}
		for _, c := range r.TLS.PeerCertificates {
			h[headCert] = append(h[headCert], base64.StdEncoding.EncodeToString(c.Raw))
		}
	}
	return h
}

func tlsText(s *tls.ConnectionState) string {
	return url.Values{
		"version":  {strconv.Itoa(int(s.Version))},
		"cipher":   {strconv.Itoa(int(s.CipherSuite))},
		"protocol": {s.NegotiatedProtocol},
		"server":   {s.ServerName},
		"verified": {strconv.FormatBool(len(s.VerifiedChains) > 0)},
	}.Encode()
}

// incoming returns the client's request that a forwarded one carries. r's
// headers become those of the result.
func incoming(r *http.Request) (*http.Request, error) {
	h := r.Header
	uri := h.Get(headURI)
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return nil, errors.New("no request URI")
	}
	major, minor, ok := http.ParseHTTPVersion(h.Get(headProto))
	if !ok {
		return nil, errors.New("no protocol version")
	}
	var state *tls.ConnectionState
	if text := h.Get(headTLS); text != "" {
		if state, err = tlsState(text, h[headCert]); err != nil {
			return nil, err
		}
	}
	in := r.WithContext(markForwarded(r.Context()))
	in.URL, in.RequestURI = u, uri
	in.Proto, in.ProtoMajor, in.ProtoMinor = h.Get(headProto), major, minor
	in.Host, in.RemoteAddr, in.TLS = h.Get(headHost), h.Get(headClient), state
	for k := range h {
		if ours(k) {
			delete(h, k)
		}
	}
	return in, nil
}

// tlsState is the state of the client's TLS connection as far as a handler may
// ask for it. Of a verified chain it has the certificates that the client sent.
func tlsState(text string, certs []string) (*tls.ConnectionState, error) {
	v, err := url.ParseQuery(text)
	if err != nil {
		return nil, errors.New("state of TLS")
	}
	number := func(key string) uint16 {
		n, e := strconv.ParseUint(v.Get(key), 10, 16)
		err = errors.Join(err, e)
		return uint16(n)
	}
	s := &tls.ConnectionState{
		HandshakeComplete: true, Version: number("version"), CipherSuite: number("cipher"),
		NegotiatedProtocol: v.Get("protocol"), ServerName: v.Get("server"),
	}
	if err != nil {
		return nil, fmt.Errorf("state of TLS: %w", err)
	}
	for _, text := range certs {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		s.PeerCertificates = append(s.PeerCertificates, c)
	}
	if v.Get("verified") == "true" && len(s.PeerCertificates) > 0 {
		s.VerifiedChains = [][]*x509.Certificate{s.PeerCertificates}
	}
	return s, nil
}
