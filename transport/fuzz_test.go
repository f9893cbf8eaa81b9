package transport

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/protocol"
)

// FuzzEngine runs a program of requests, frames, half frames and the server's
// own calls that the input describes. Whatever it is, nothing panics, everything
// is answered, and after Shutdown no goroutine is left.
func FuzzEngine(f *testing.F) {
	for _, program := range []string{
		"",
		"\x00\x00\x00\x01\x00\x02\x00\x074hello!\x01\x00\x08\x00\x09\x00\x0a\x00",
		"\x01\x00\x03\x02\x00\x061:4hi!\x03\x00\x05\x00\x01\x034abc\x05\x00\x08\x02\x03\xe8",
		"\x03\x03\x00\x05\x00\x01\x054hello\x06\x00\x04\x81\x85\x01\x02\x07\x01x",
		"\x00\x00\x00\x04\x00\x05\x00\x01\x062probe\x05\x00\x01\x015\x05\x00\x01\x024a\x08\x00\x09\x00",
		"\x02\x00\x09\x02\x02\x08d=1:4\x01\x00\x07\x0bsid=&EIO=%zz\x07\x03j=x",
	} {
		f.Add([]byte(program))
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		p := &fuzzed{T: t, in: program}
		flags := p.byte()
		e, err := New(Config{
			Shards: 1, JSONP: flags&1 == 0, MaxPayload: 200, MaxSessions: 10,
			PerMessageDeflate: PerMessageDeflate{Enabled: flags&2 != 0, Threshold: 4},
			Compression:       Compression{Threshold: 10},
			Queue:             Queue{MaxBytes: 1000, MaxMessages: 10, Policy: []Policy{"", PolicyDropOldest}[flags>>2&1]},
			CloseTimeout:      time.Millisecond, PollTimeout: time.Millisecond,
		}, fuzzHandler{})
		if err != nil {
			t.Fatal(err)
		}
		p.engine = e
		p.ctx, p.cancel = context.WithCancel(context.Background())
		for len(p.in) > 0 {
			p.instruction()
		}
		p.cancel()
		for _, c := range p.pipes {
			c.Close()
		}
		p.wg.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil || e.Len() != 0 {
			t.Fatalf("%v, %d sessions", err, e.Len())
		}
		if n := e.Stats().HandlerPanics; n != 0 {
			t.Fatalf("%d panics", n)
		}
	})
}

// fuzzHandler echoes.
type fuzzHandler struct{ quiet }

func (fuzzHandler) Text(s *Session, d []byte)   { s.Send(NewText(bytes.Clone(d)), 0, len(d)%2 == 0) }
func (fuzzHandler) Binary(s *Session, d []byte) { s.Send(NewBinary(bytes.Clone(d)), 0, false) }

type fuzzed struct {
	*testing.T
	in     []byte
	engine *Engine
	ctx    context.Context
	cancel func()
	wg     sync.WaitGroup
	pipes  []net.Conn
	ids    []string
	mu     sync.Mutex
}

func (p *fuzzed) byte() byte {
	if len(p.in) == 0 {
		return 0
	}
	b := p.in[0]
	p.in = p.in[1:]
	return b
}

// bytes takes a length and as many bytes.
func (p *fuzzed) bytes() []byte {
	n := min(int(p.byte()), len(p.in))
	b := p.in[:n]
	p.in = p.in[n:]
	return b
}

func (p *fuzzed) id() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ids) == 0 {
		return "nobody"
	}
	return p.ids[int(p.byte())%len(p.ids)]
}

var fuzzQueries = []string{"EIO=4", "EIO=3", "EIO=3&b64=1", "EIO=4&j=1", "EIO=3&j=2", ""}

func (p *fuzzed) instruction() {
	op, arg := p.byte(), p.byte()
	query := fuzzQueries[int(arg)%len(fuzzQueries)]
	switch op % 11 {
	case 0:
		p.request("GET", query+"&transport=polling", nil, "")
	case 1:
		p.request("GET", query+"&transport=polling&sid="+p.id()+"&t="+string('a'+arg>>6), nil, "")
	case 2:
		p.request("POST", query+"&transport=polling&sid="+p.id()+"&t="+string('a'+arg>>6), p.bytes(), []string{"text/plain", typeBinary}[arg>>7])
	case 3:
		p.webSocket(query + "&transport=websocket")
	case 4:
		p.webSocket(query + "&transport=websocket&sid=" + p.id())
	case 5:
		fr := frame(ws.OpCode(p.byte()&0xf), string(p.bytes()))
		fr[0] ^= arg & 0xf0 // not final, compressed, reserved
		p.send(fr)
	case 6:
		p.send(p.bytes())
	case 7:
		p.request([]string{"GET", "POST", "PUT", "OPTIONS", "HEAD"}[arg%5], string(p.bytes()), p.bytes(), string(p.bytes()))
	default:
		if s := p.engine.Session(p.id()); s != nil {
			p.call(s, op%11, arg)
		}
	}
}

// call is something that the application does.
func (p *fuzzed) call(s *Session, op, arg byte) {
	m := NewMessage(protocol.Frames{Text: bytes.Clone(p.bytes()), Binary: [][]byte{{1, arg}}}, nil)
	switch op {
	case 8:
		s.SendLatest(m, Form(arg%5), arg&8 != 0, string(p.bytes()))
	case 9:
		s.Shard().Post(Cast{Message: m, To: []Recipient{{Session: s, Form: Form(arg % 5)}}, Volatile: arg&8 != 0})
		s.SendFrames(m.Frames(0))
	default:
		if arg&1 == 0 {
			s.Close(Reason(p.bytes()))
		} else {
			s.Abort("")
		}
	}
}

// request serves a request on a goroutine of its own; a poll may wait until the
// program ends.
func (p *fuzzed) request(method, query string, body []byte, contentType string) {
	r := httptest.NewRequest(method, "/socket.io/", bytes.NewReader(body)).WithContext(p.ctx)
	r.URL.RawQuery = query
	r.Header["Content-Type"] = []string{contentType}
	if len(contentType) > 3 {
		r.Header["Accept-Encoding"] = []string{"gzip"}
	}
	w := httptest.NewRecorder()
	done := make(chan struct{})
	p.wg.Go(func() {
		defer close(done)
		p.engine.ServeHTTP(w, r)
	})
	if v, _ := url.ParseQuery(query); v.Get("sid") != "" && method == "GET" {
		return
	}
	<-done
	if w.Code == 0 {
		p.Error("no answer")
	}
	if body := w.Body.String(); contains(body, `"sid":"`) || contains(body, `\"sid\":\"`) {
		p.mu.Lock()
		p.ids = append(p.ids, sidOf(p, body))
		p.mu.Unlock()
	}
}

// hijacker is a ResponseWriter that gives a pipe away.
type hijacker struct {
	*httptest.ResponseRecorder
	conn  net.Conn
	given bool
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.given = true
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

func (p *fuzzed) webSocket(query string) {
	client, srv := net.Pipe()
	r := httptest.NewRequest("GET", "/socket.io/", nil)
	r.URL.RawQuery = query
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Extensions": {"permessage-deflate"},
	}
	p.wg.Go(func() { _, _ = io.Copy(io.Discard, client) }) // reads what the server writes
	h := &hijacker{ResponseRecorder: httptest.NewRecorder(), conn: srv}
	p.engine.ServeHTTP(h, r)
	if h.given {
		p.pipes = append(p.pipes, client)
	} else {
		client.Close()
		srv.Close()
	}
}

func (p *fuzzed) send(b []byte) {
	if len(p.pipes) == 0 {
		return
	}
	c := p.pipes[int(p.byte())%len(p.pipes)]
	_ = c.SetWriteDeadline(time.Now().Add(patience))
	_, _ = c.Write(b)
}
