package badinput

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

// Rows 34 to 39: HTTP.
func TestHTTP(t *testing.T) {
	t.Parallel()
	g := serve(t, readHeaderTimeout, "1s", readTimeout, "1s")

	// cut off after the limit of 1 s, with some room for a busy machine
	const soon = 4 * time.Second

	g.row("row 34 requests that are never finished", func(t *testing.T, s *target.Server) {
		url := func() string { return openPolling(t, s.Addr).join().url }
		parts := map[string]string{
			"nothing":   "",
			"a byte":    "G",
			"a line":    "GET " + polling + " HTTP/1.1\r\n",
			"headers":   "GET " + polling + " HTTP/1.1\r\nHost: x\r\nX-A: b\r\n",
			"no body":   "POST " + url() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
			"half body": "POST " + url() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n42",
			"no body for a session that is not there": "POST " + polling + "&sid=x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
			"no body for a page that is not there":    "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
			"no body for a handshake":                 "POST " + polling + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
			"a body for a poll":                       "GET " + url() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
			"half chunk":                              "POST " + url() + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n42",
		}
		for name, part := range parts {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				x := wire.Connect(t, s.Addr)
				start := time.Now()
				x.Raw(part)
				said := x.End()
				if took := time.Since(start); took > soon {
					t.Errorf("the connection was kept for %v", took)
				}
				if said != "" && !strings.HasPrefix(said, "HTTP/1.1 4") {
					t.Errorf("the server said %.100q", said)
				}
			})
		}
	})
	g.row("row 34 headers byte by byte", func(t *testing.T, s *target.Server) {
		x := wire.Connect(t, s.Addr)
		start := time.Now()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for _, c := range "GET " + polling + " HTTP/1.1\r\nHost: x\r\nX-Slow: " + strings.Repeat("z", 1000) {
			if x.TryRaw(string(c)) != nil {
				break
			}
			if time.Since(start) > soon {
				t.Fatalf("the server went on reading for %v", soon)
			}
			<-tick.C
		}
	})
	g.row("row 35 lengths that contradict each other", func(t *testing.T, s *target.Server) {
		p := openPolling(t, s.Addr).join()
		const second = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
		post := "POST " + p.url + " HTTP/1.1\r\nHost: x\r\n"
		for name, request := range map[string]string{
			"length and chunks":      post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
			"chunks and length":      post + "Transfer-Encoding: chunked\r\nContent-Length: 100\r\n\r\n0\r\n\r\n" + second,
			"two lengths":            post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n42" + second,
			"a list of lengths":      post + "Content-Length: 1, 2\r\n\r\n42" + second,
			"a signed length":        post + "Content-Length: +2\r\n\r\n42" + second,
			"a negative length":      post + "Content-Length: -2\r\n\r\n42" + second,
			"a hexadecimal length":   post + "Content-Length: 0x2\r\n\r\n42" + second,
			"another coding":         post + "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n" + second,
			"chunked twice":          post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
			"chunked in disguise":    post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + second,
			"a space before a colon": post + "Content-Length : 2\r\n\r\n42" + second,
			"a header without name":  post + ": x\r\nContent-Length: 0\r\n\r\n" + second,
			"a bare return":          post + "X-A: b\rContent-Length: 2\r\n\r\n42" + second,
			"a zero byte":            post + "X-A: \x00\r\n\r\n" + second,
			"a bad chunk size":       post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + second,
			"a huge chunk size":      post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n" + second,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				x := wire.Connect(t, s.Addr)
				x.Raw(request)
				said := x.End()
				if n := strings.Count(said, "HTTP/1.1 "); n != 1 {
					t.Errorf("%d answers: %.300q", n, said)
				}
				status, _, _ := strings.Cut(strings.TrimPrefix(said, "HTTP/1.1 "), " ")
				switch status {
				case "400", "413", "501":
				default:
					t.Errorf("answered %.60q, want 400", said)
				}
			})
		}
	})
	g.row("row 35 a folded header is one value", func(t *testing.T, s *target.Server) {
		// RFC 9112 5.2 lets a server refuse a folded line or join it to the one
		// before. It must not take it for a header of its own.
		x := wire.Connect(t, s.Addr)
		x.Raw("POST " + polling + " HTTP/1.1\r\nHost: x\r\nX-A: b\r\n Content-Length: 20\r\n\r\n" + "GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
		wantStatus(t, x.Response(), 400)
		if r, err := x.TryResponse(); err == nil {
			wantStatus(t, r, 404) // the second request, whole
		}
	})
	g.row("row 36 hosts", func(t *testing.T, s *target.Server) {
		for name, head := range map[string]string{
			"two":        "Host: a\r\nHost: b\r\n",
			"none":       "",
			"impossible": "Host: a b\r\n",
		} {
			x := wire.Connect(t, s.Addr)
			x.Raw("GET " + polling + " HTTP/1.1\r\n" + head + "\r\n")
			if r := x.Response(); r.Status != 400 {
				t.Errorf("%s: answered %d, want 400", name, r.Status)
			}
			x.Close()
		}
	})
	g.row("row 37 compressed bodies", func(t *testing.T, s *target.Server) {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := io.WriteString(w, strings.Repeat("4", 64<<20)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		p := openPolling(t, s.Addr).join()
		grows(t, s, 16<<20, func() {
			for _, coding := range []string{"gzip", "deflate", "br", "x-unknown", "gzip, gzip"} {
				wantStatus(t, wire.Do(t, s.Addr, wire.Request{Target: p.url, Header: []string{"Content-Encoding: " + coding}, Body: b.String()}), 415)
			}
		})
		p.answers()
	})
	g.row("row 38 what is compressed", func(t *testing.T, s *target.Server) {
		ask := func(url string) wire.Response {
			return wire.Do(t, s.Addr, wire.Request{Target: url, Header: []string{"Accept-Encoding: gzip, deflate"}})
		}
		r := ask(polling + "&pad=" + strings.Repeat("x", 2000))
		if got := r.Header.Get("Content-Encoding"); got != "" {
			t.Errorf("the handshake, which has the session id, is compressed: %s", got)
		}
		p := session{t: t, addr: s.Addr, url: polling + "&sid=" + sidOf(t, r.Body)}.join()
		for _, c := range []struct {
			n    int
			want string
		}{{500, ""}, {4000, "gzip"}} {
			fill := strings.Repeat("x", c.n)
			p.taken(`421["echo","` + fill + `"]`)
			r := ask(p.url)
			if got := r.Header.Get("Content-Encoding"); got != c.want {
				t.Errorf("an answer of %d bytes: Content-Encoding %q, want %q", c.n, got, c.want)
			}
			body := r.Body
			if c.want == "gzip" {
				z, err := gzip.NewReader(strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(z)
				if err != nil {
					t.Fatal(err)
				}
				body = string(b)
			}
			if body != `431["`+fill+`"]` {
				t.Errorf("an answer of %d bytes came out as %.60q", c.n, body)
			}
		}
	})
	g.row("row 39 nothing of a request comes back in a header", func(t *testing.T, s *target.Server) {
		const mark = "injected"
		evil := url.QueryEscape("x\r\nX-" + mark + ": 1\r\n\r\n")
		for _, r := range []wire.Request{
			{Target: polling + "&sid=" + evil},
			{Target: polling + "&t=" + evil},
			{Target: polling + "&j=" + evil},
			{Target: engine + "&transport=" + evil},
			{Target: "/socket.io/?EIO=" + evil + "&transport=polling"},
			{Target: "/socket.io/" + evil + "?EIO=4&transport=polling"},
			{Target: "/" + mark},
			{Target: polling, Header: []string{"Origin: http://" + mark + ".example"}},
			{Target: polling, Header: []string{"Cookie: io=" + mark, "X-Request-Id: " + mark, "Referer: http://" + mark}},
			{Target: polling, Method: "OPTIONS", Header: []string{"Origin: http://" + mark, "Access-Control-Request-Headers: " + mark, "Access-Control-Request-Method: " + mark}},
		} {
			got := wire.Do(t, s.Addr, r)
			for k, v := range got.Header {
				if strings.Contains(strings.ToLower(k+strings.Join(v, " ")), mark) {
					t.Errorf("%s: header %s: %q", r.Target, k, v)
				}
			}
			if got.Header.Get("Server") != "" || got.Header.Get("X-Powered-By") != "" {
				t.Errorf("%s: the server names itself: %v", r.Target, got.Header)
			}
		}
		wantStatus(t, wire.Do(t, s.Addr, wire.Request{Target: polling, Header: []string{"Origin: http://a\x01b"}}), 400)
	})
	g.row("row 56 the clients' listener shows nothing of the inside", func(t *testing.T, s *target.Server) {
		for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/livez", "/readyz", "/startupz", "/admin"} {
			wantStatus(t, wire.Get(t, s.Addr, path), http.StatusNotFound)
		}
		for _, path := range []string{"/metrics", "/livez", "/readyz"} {
			wantStatus(t, wire.Get(t, s.Internal, path), http.StatusOK)
		}
		wantStatus(t, wire.Get(t, s.Internal, polling), http.StatusNotFound)
	})
}
