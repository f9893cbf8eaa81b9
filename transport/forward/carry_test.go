package forward

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
)

// Whatever a server takes for a request arrives as it was.
func TestCarry(t *testing.T) {
	t.Parallel()
	self, err := static.New(membership.Member{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(Config{Membership: self, Secrets: []string{secret}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Shutdown(t.Context()) }()
	path := rapid.StringMatching(`/[a-zA-Z0-9./%7E_-]{0,20}`).Filter(func(s string) bool { return !strings.HasPrefix(s, "//") && !strings.Contains(s, "%") })
	query := rapid.StringMatching(`[!-~]{0,40}`).Filter(func(s string) bool { return !strings.Contains(s, "#") })
	value := rapid.StringMatching(`[!-~]([ -~\x80-\xff]{0,20}[!-~])?`)
	rapid.Check(t, func(t *rapid.T) {
		want := httptest.NewRequest(rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"),
			path.Draw(t, "path")+"?"+query.Draw(t, "query"), http.NoBody)
		want.RequestURI = want.URL.RequestURI()
		want.Host = rapid.StringMatching(`[a-z0-9.-]{1,20}(:[0-9]{1,5})?`).Draw(t, "host")
		want.RemoteAddr = rapid.SampledFrom([]string{"192.0.2.1:1234", "[2001:db8::1%eth0]:9", "@", ""}).Draw(t, "address")
		want.Proto, want.ProtoMajor, want.ProtoMinor = "HTTP/1.1", 1, 1
		if rapid.Bool().Draw(t, "HTTP/2") {
			want.Proto, want.ProtoMajor, want.ProtoMinor = "HTTP/2.0", 2, 0
		}
		for range rapid.IntRange(0, 5).Draw(t, "headers") {
			k := http.CanonicalHeaderKey(rapid.StringMatching(`X-[a-zA-Z0-9_-]{1,10}`).Draw(t, "key"))
			want.Header[k] = append(want.Header[k], value.Draw(t, "value"))
		}
		if rapid.Bool().Draw(t, "TLS") {
			want.TLS = &tls.ConnectionState{
				HandshakeComplete: true, Version: rapid.Uint16().Draw(t, "version"), CipherSuite: rapid.Uint16().Draw(t, "cipher"),
				ServerName: rapid.String().Draw(t, "server"), NegotiatedProtocol: rapid.SampledFrom([]string{"", "h2"}).Draw(t, "protocol"),
			}
		}
		r := httptest.NewRequest(want.Method, Path, http.NoBody)
		r.Header = f.outgoing(want, "home")
		if slices.Equal(r.Header["User-Agent"], nil) {
			delete(r.Header, "User-Agent") // net/http sends none
		}
		got, err := incoming(r)
		if err != nil {
			t.Fatal(err)
		}
		var a, b tls.ConnectionState
		if want.TLS != nil && got.TLS != nil {
			a, b = *want.TLS, *got.TLS
		}
		switch {
		case got.Method != want.Method || got.URL.String() != want.URL.String() || got.RequestURI != want.RequestURI:
			t.Fatalf("%s %s, want %s %s", got.Method, got.URL, want.Method, want.URL)
		case got.Host != want.Host || got.RemoteAddr != want.RemoteAddr || got.Proto != want.Proto || !got.ProtoAtLeast(want.ProtoMajor, want.ProtoMinor):
			t.Fatalf("%s %s %s, want %s %s %s", got.Host, got.RemoteAddr, got.Proto, want.Host, want.RemoteAddr, want.Proto)
		case !cmp.Equal(got.Header, want.Header):
			t.Fatalf("headers differ: %s", cmp.Diff(want.Header, got.Header))
		case (want.TLS == nil) != (got.TLS == nil) || a.Version != b.Version || a.CipherSuite != b.CipherSuite || a.ServerName != b.ServerName || a.NegotiatedProtocol != b.NegotiatedProtocol:
			t.Fatalf("TLS %+v, want %+v", got.TLS, want.TLS)
		case !isForwarded(got.Context()) || isForwarded(want.Context()):
			t.Fatal("the mark of a forwarded request is missing, or where it should not be")
		}
	})
}

// A node that knows the secret may still send nonsense.
func FuzzIncoming(f *testing.F) {
	f.Add("/engine.io/?EIO=4", "HTTP/1.1", "version=772&cipher=4865&server=a", "AAAA")
	f.Add("*", "HTTP/9.9", "version=&&", "")
	f.Add("http://other/path", "", "%", "MIIB")
	f.Fuzz(func(t *testing.T, uri, proto, state, cert string) {
		r := httptest.NewRequest("GET", Path, http.NoBody)
		r.Header = http.Header{headURI: {uri}, headProto: {proto}, headTLS: {state}, headCert: {cert}}
		in, err := incoming(r)
		if err == nil && (in.URL == nil || len(in.Header) != 0 || (in.TLS != nil) != (state != "")) {
			t.Errorf("%+v", in)
		}
	})
}
