package forward

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/transport"
)

// A session whose requests go to one node after the other lives as one whose
// requests all go to its home.
func TestRoundRobin(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3, nil)
	for _, rev := range []string{"3", "4"} {
		for i, home := range nodes {
			query := home.open("EIO=" + rev)
			recv(t, home.app.opened, "the session")
			for k := range 6 {
				text := "message " + strconv.Itoa(k)
				nodes[(i+k)%3].posts(query, record(rev, "4"+text))
				nodes[(i+k+1)%3].polls(query, record(rev, "4"+text))
			}
			nodes[(i+2)%3].posts(query, record(rev, "1"))
			home.ends(transport.ReasonTransportClose)
			for _, n := range nodes {
				a := n.do("GET", query, "")
				if a.status == 200 && a.body == record(rev, "6") { // one poll that comes close behind is answered
					a = n.do("GET", query, "")
				}
				if a.status != 400 || a.body != sessionUnknown {
					t.Errorf("after the end, at %s: %d %s", n.name, a.status, a.body)
				}
			}
		}
	}
	for _, n := range nodes {
		eventually(t, "the last request to be over", func() bool { return n.fwd.Stats().Pending == 0 })
		// Of 2 sessions of each of the 2 other nodes: 2 posts, 2 polls, one after
		// the end.
		if st := n.fwd.Stats(); st.Sent[Forwarded] < 20 || st.Served[Forwarded] < 20 || st.Dialled != 2 {
			t.Errorf("%s: %+v", n.name, st)
		}
	}
}

// record is a text payload of one packet.
func record(rev, packet string) string {
	if rev == "4" {
		return packet
	}
	return strconv.Itoa(len(packet)) + ":" + packet
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, func(_ int, o *options) { o.transport.MaxPayload = 1 << 20 })
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	text := strings.Repeat("large ", 150_000)
	other.posts(query, "4"+text)
	other.polls(query, "4"+text)

	// One over the limit is refused, and the session lives on.
	for _, size := range []int{1<<20 + 1, 4 << 20} {
		a := other.do("POST", query, strings.Repeat("x", size))
		if a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d bytes: %d %s", size, a.status, a.body)
		}
	}
	other.posts(query, "4still")
	other.polls(query, "4still")
}

// lateFlush is a writer of which flushing takes until gone is closed, or a while.
type lateFlush struct {
	http.ResponseWriter
	gone <-chan struct{}
}

func (w *lateFlush) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *lateFlush) FlushError() error {
	select {
	case <-w.gone:
	case <-time.After(200 * time.Millisecond):
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// A client that leaves as soon as it has all of an answer has it, although its
// home is not done yet.
func TestLeavesWithAnswer(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	nodes := cluster(t, 2, func(_ int, o *options) {
		o.servers = func(s *http.Server) {
			h := s.Handler
			s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == Path && r.Method == http.MethodGet {
					w = &lateFlush{w, gone}
				}
				h.ServeHTTP(w, r)
			})
		}
	})
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	text := strings.Repeat("large ", 4000)
	home.posts(query, "4"+text)

	c, err := net.Dial("tcp", other.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", query)
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, resp.ContentLength); err != nil {
		t.Fatal(err)
	}
	c.Close()
	other.sent(Forwarded, 1) // the node knows that the client is gone, or never asks
	close(gone)

	other.posts(query, "4still")
	other.polls(query, "4still")
}

// A home that has given all of an answer and does not end is not waited for.
func TestHomeDoesNotEnd(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	defer close(over)
	nodes := cluster(t, 2, func(_ int, o *options) {
		o.forward.WriteTimeout = time.Second
		o.servers = func(s *http.Server) {
			h := s.Handler
			s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(w, r)
				if r.URL.Path == Path && r.Method == http.MethodGet {
					<-over
				}
			})
		}
	})
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	for range 2 {
		home.posts(query, "4text")
		other.polls(query, "4text")
	}
}

// A length that is not known beforehand.
func TestChunkedBody(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	r, w := io.Pipe()
	go func() {
		for _, part := range []string{"4in", " ", "parts"} {
			_, _ = io.WriteString(w, part)
		}
		w.Close()
	}()
	req, err := http.NewRequestWithContext(t.Context(), "POST", other.url(query), r)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := other.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || !resp.Close {
		t.Errorf("%s, connection closed: %v, want the rule of chunked bodies", resp.Status, resp.Close)
	}
	other.polls(query, "4in parts")
}

// Binary payloads of revision 3, in both directions.
func TestBinary(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=3")
	data := make([]byte, 256)
	for i := range data {
		data[i] = byte(i)
	}
	payload := append([]byte{1, 2, 5, 7, 255, 4}, data...)
	other.posts(query, string(payload), "Content-Type", "application/octet-stream")
	a := other.polls(query, string(payload))
	if ct := a.header.Get("Content-Type"); ct != "application/octet-stream" {
		t.Errorf("content type %q", ct)
	}
	// Revision 4 has binary packets as base64.
	query = home.open("EIO=4")
	other.posts(query, "bAAEC/w==")
	other.polls(query, "bAAEC/w==")
}

// The home compresses for the client, and nobody else touches it.
func TestCompression(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	text := "4" + strings.Repeat("compress me ", 500)
	for _, accept := range []string{"gzip", ""} {
		other.posts(query, text)
		a := other.do("GET", query, "", "Accept-Encoding", accept)
		if a.header.Get("Content-Encoding") != accept || len(a.header.Values("Vary")) != 1 {
			t.Errorf("Accept-Encoding %q: %v", accept, a.header)
		}
		body := []byte(a.body)
		if accept == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if string(body) != text {
			t.Errorf("Accept-Encoding %q: %d bytes, want %d", accept, len(body), len(text))
		}
	}
}

// A client that gives its poll up ends its session, wherever it had sent it.
func TestClientGone(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	ctx, cancel := context.WithCancel(t.Context())
	other.later(ctx, "GET", query, "")
	eventually(t, "the poll to arrive", func() bool { return home.fwd.Stats().Served[Forwarded] == 1 })
	cancel()
	home.ends(transport.ReasonTransportError)
	eventually(t, "the poll to end", func() bool { return other.fwd.Stats().Pending == 0 })
	other.sent(ClientGone, 1)
}

// The same "t" again is a balancer's retry (V18): it reaches the same home over
// whichever node, and nothing is dispatched or lost twice.
func TestRetries(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3, nil)
	home := nodes[0]
	query := home.open("EIO=4")
	for _, n := range nodes {
		n.posts(query+"&t=post.a", "4once")
	}
	for _, n := range nodes {
		n.polls(query+"&t=get.a", "4once")
	}
	recv(t, home.app.texts, "the message")
	if n := len(home.app.texts); n != 0 {
		t.Errorf("the message was dispatched %d times more", n)
	}
	// A poll that waits gives way to its retry, which has come another way.
	first := nodes[1].later(t.Context(), "GET", query+"&t=get.b", "")
	second := nodes[2].later(t.Context(), "GET", query+"&t=get.b", "")
	other := second
	select { // whichever came first
	case a := <-first:
		wantReplaced(t, a)
	case a := <-second:
		wantReplaced(t, a)
		other = first
	case <-time.After(patience):
		t.Fatal("both polls wait")
	}
	nodes[1].posts(query+"&t=post.b", "4answer")
	if a := recv(t, other, "the retry"); a.status != 200 || a.body != "4answer" {
		t.Errorf("the retry: %d %s", a.status, a.body)
	}
}

func wantReplaced(t *testing.T, a reply) {
	t.Helper()
	if a.status != 400 || a.body != `{"code":3,"message":"Bad request"}` {
		t.Errorf("the poll that was sent again: %d %s", a.status, a.body)
	}
}

// "Connection: close" is for the client's connection. That between the nodes
// is used on, with the requests of others that wait on it.
func TestCloseIsTheClients(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, func(_ int, o *options) { o.transport.MaxPayload = 10 })
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	poll := other.later(t.Context(), "GET", query, "")
	eventually(t, "the poll to arrive", func() bool { return home.fwd.Stats().Served[Forwarded] == 1 })
	for range 5 {
		if a := other.do("POST", query, "more than ten bytes"); a.status != 413 || !a.close {
			t.Errorf("%d, connection closed: %v", a.status, a.close)
		}
	}
	if n := other.fwd.Stats().Dialled; n != 1 {
		t.Errorf("%d connections between the nodes were needed", n)
	}
	other.posts(query, "4x")
	if a := recv(t, poll, "the poll"); a.body != "4x" {
		t.Errorf("%q", a.body)
	}
}

// Many polls that wait share a few connections.
func TestManyPolls(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, other := nodes[0], nodes[1]
	const n = 600
	var polls []<-chan reply
	var sessions []*transport.Session
	for range n {
		polls = append(polls, other.later(t.Context(), "GET", home.open("EIO=4"), ""))
		sessions = append(sessions, recv(t, home.app.opened, "the session"))
	}
	eventually(t, "the polls to arrive", func() bool { return home.fwd.Stats().Served[Forwarded] == n })
	if c := other.fwd.Stats().Connections; c == 0 || c > 10 {
		t.Errorf("%d connections for %d polls", c, n)
	}
	for _, s := range sessions {
		s.Send(transport.NewText([]byte("all")), 0, false)
	}
	for _, c := range polls {
		if a := recv(t, c, "a poll"); a.status != 200 || a.body != "4all" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
}

// Time-outs of the HTTP servers are for requests that are answered at once. A
// poll that waits is none.
func TestServerTimeouts(t *testing.T) {
	t.Parallel()
	const short = time.Second // a busy machine answers a POST in less
	nodes := cluster(t, 2, func(_ int, o *options) {
		o.servers = func(s *http.Server) { s.ReadTimeout, s.WriteTimeout = short, short }
	})
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	s := recv(t, home.app.opened, "the session")
	poll := other.later(t.Context(), "GET", query, "")
	select {
	case a := <-poll:
		t.Fatalf("the poll was answered %d %s", a.status, a.body)
	case <-time.After(2 * short):
	}
	s.Send(transport.NewText([]byte("late")), 0, false)
	if a := recv(t, poll, "the poll"); a.status != 200 || a.body != "4late" {
		t.Errorf("%d %s", a.status, a.body)
	}
	other.posts(query, "4x")
	other.polls(query, "4x")
}
