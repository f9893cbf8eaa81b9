package forward

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/membership"
)

// maxHead bounds the head of a home's answer to a WebSocket handshake.
const maxHead = 64 << 10

// linger is how long a tunnel stays open in one direction when the other has
// ended: as long as an engine waits for a client's half of the close handshake.
const linger = 5 * time.Second

// tunnel is one WebSocket between a client and its home.
type tunnel struct {
	f            *Forwarder
	client, home net.Conn
	running      atomic.Int32
}

// openTunnel has the home answer a WebSocket handshake, and joins the two
// connections if it agrees. The head of its 101 is passed on as it is.
func (f *Forwarder) openTunnel(w http.ResponseWriter, r *http.Request, home membership.Member) error {
	t := &tunnel{f: f}
	if err := f.reserve(t); err != nil {
		return err
	}
	opened := false
	defer func() {
		if !opened {
			f.forget(t)
		}
	}()
	ctx, cancel := f.bound(r.Context())
	defer cancel()
	nc, err := f.dialTunnel(ctx, home.Addr)
	if err != nil {
		if why := f.interrupted(r, err); why != nil {
			return why
		}
		return err
	}
	defer func() {
		if !opened {
			_ = nc.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_ = nc.SetDeadline(time.Now().Add(f.cfg.ReadTimeout))
	head, rest, err := f.knock(nc, r, home)
	if !stop() || err != nil {
		if why := f.interrupted(r, err); why != nil {
			return why
		}
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			return &failure{Late, err}
		}
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(rest), nc)), nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		defer resp.Body.Close()
		if err := checkAnswer(resp); err != nil {
			return err
		}
		passHeader(w.Header(), resp.Header)
		w.Header().Set("Connection", "close") // what may be left of the request must not be taken for the next
		f.copyAnswer(w, http.NewResponseController(w), resp, r, home.ID)
		return nil
	}
	opened, err = t.join(w, nc, head, rest)
	return err
}

func (f *Forwarder) dialTunnel(ctx context.Context, addr string) (net.Conn, error) {
	nc, err := f.dial(ctx, addr)
	if err != nil || f.cfg.TLS == nil {
		return nc, err
	}
	return f.secure(ctx, nc, addr, "http/1.1")
}

// knock sends the handshake and reads the head of the answer. rest is what
// came with it.
func (f *Forwarder) knock(nc net.Conn, r *http.Request, home membership.Member) (head, rest []byte, err error) {
	h := f.outgoing(r, home.ID)
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	out := http.Request{Method: http.MethodGet, URL: &url.URL{Path: Path}, Host: home.Addr, Header: h}
	if err := out.Write(nc); err != nil {
		return nil, nil, err
	}
	buf := make([]byte, 0, 1024)
	for {
		n, err := nc.Read(buf[len(buf):cap(buf)])
		seen := max(len(buf)-3, 0)
		buf = buf[:len(buf)+n]
		if i := bytes.Index(buf[seen:], []byte("\r\n\r\n")); i >= 0 {
			end := seen + i + 4
			return buf[:end:end], buf[end:], nil
		}
		switch {
		case err == io.EOF:
			return nil, nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, nil, err
		case len(buf) >= maxHead:
			return nil, nil, errors.New("the head of the home's answer is too long")
		case len(buf) == cap(buf):
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// join takes the client's connection over and starts the tunnel. It reports
// whether the tunnel has the connections now.
func (t *tunnel) join(w http.ResponseWriter, home net.Conn, head, rest []byte) (bool, error) {
	client, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false, &failure{Broken, err} // a server or middleware that cannot give its connection away
	}
	_, _ = client.SetDeadline(time.Time{}), home.SetDeadline(time.Time{})
	// What the client has sent behind its request. The server's buffers are let
	// go: they would cost 8 KB for each tunnel.
	early := make([]byte, rw.Reader.Buffered())
	_, _ = io.ReadFull(rw.Reader, early)
	t.running.Store(2)
	if !t.f.adopt(t, client, home) {
		_ = client.Close()
		return false, nil
	}
	down := newPump(t, client, home, t.f.cfg.WriteTimeout)
	up := newPump(t, home, client, stallTimeout)
	// Goroutines with small stacks of their own, away from the HTTP server's.
	go down.run(append(head, rest...))
	go up.run(early)
	return true, nil
}

// cut ends both connections at once.
func (t *tunnel) cut() {
	for _, nc := range []net.Conn{t.client, t.home} {
		under := nc
		for { // without the farewell of TLS, which may wait
			c, ok := under.(interface{ NetConn() net.Conn })
			if !ok {
				break
			}
			under = c.NetConn()
		}
		_ = under.Close()
	}
}

// half notes that one direction has ended. After the second the tunnel has.
func (t *tunnel) half() {
	if t.running.Add(-1) > 0 {
		return
	}
	_, _ = t.client.Close(), t.home.Close()
	t.f.forget(t)
}

// reserve counts a tunnel that is about to open.
func (f *Forwarder) reserve(t *tunnel) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closing:
		return &failure{Closing, errors.New("shutting down")}
	case f.cfg.MaxTunnels > 0 && len(f.tunnels) >= f.cfg.MaxTunnels:
		return &failure{Full, errors.New("MaxTunnels")}
	}
	f.tunnels[t] = struct{}{}
	return nil
}

// adopt gives a reserved tunnel its connections, unless Shutdown was called.
func (f *Forwarder) adopt(t *tunnel, client, home net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.client, t.home = client, home
	return !f.closing
}

func (f *Forwarder) forget(t *tunnel) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tunnels, t)
	f.settle()
}
