package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
)

// Client is a connection to a server, kept up by connecting again, with a
// Socket for each namespace that is used. Its methods are safe for concurrent
// use.
type Client struct {
	cfg    Config
	url    *url.URL
	dialer dialer
	http   *http.Client

	ctx    context.Context // ends when the client is closed
	cancel context.CancelFunc
	done   chan struct{}   // closed when all goroutines have ended
	boxes  sync.WaitGroup  // goroutines of handlers
	redial chan chan error // asks run for an attempt now
	poke   chan struct{}   // tells run that a socket wants a connection

	decoder protocol.Decoder // used by the reader of the current session alone

	mu      sync.Mutex // guards what follows and the state of all sockets
	session *session   // nil while there is none
	sockets map[string]*Socket
	asked   chan struct{} // closed when an answer is awaited; nil if no reader pauses
	closing bool
	err     error // why the client gave up
}

// Dial opens an Engine.IO session with the server at rawURL, which is http,
// https, ws or wss. It fails if that does not work at once; what breaks later is
// connected again by itself, see [Config.NoReconnect]. ctx bounds Dial alone.
//
// No namespace is connected yet; servers end a session that stays so for some
// seconds.
func Dial(ctx context.Context, rawURL string, cfg Config) (*Client, error) {
	c, err := newClient(rawURL, cfg)
	if err != nil {
		return nil, err
	}
	s, err := c.open(ctx)
	if err != nil {
		c.cancel()
		c.http.CloseIdleConnections()
		return nil, err
	}
	go c.run(s)
	return c, nil
}

// newClient readies a client that has no session yet and does not run.
func newClient(rawURL string, cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	u, err := parseURL(rawURL, cfg.Path)
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, url: u,
		dialer:  dialer{dial: cfg.Dial},
		done:    make(chan struct{}),
		redial:  make(chan chan error),
		poke:    make(chan struct{}, 1),
		sockets: make(map[string]*Socket),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.http = &http.Client{
		Jar: cfg.Jar,
		Transport: &http.Transport{
			DialContext: c.dialer.DialContext, TLSClientConfig: cfg.TLS, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// SID returns the id of the current Engine.IO session, which is a secret, or
// "" while there is none.
func (c *Client) SID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return ""
	}
	return c.session.hs.SID
}

// Transport returns what the current session runs on, or "" while there is
// none.
func (c *Client) Transport() Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return ""
	}
	return c.session.current()
}

// Of returns the socket of a namespace, not connected yet, so that handlers can
// be registered before the first event arrives. There is one for each
// namespace: a second call returns the first one's and only replaces its auth.
//
// auth is the payload that the server's middleware sees: nil, anything that
// encodes to a JSON object, or a func() (any, error) that is called before each
// connect and must not block.
func (c *Client) Of(namespace string, auth any) (*Socket, error) {
	if namespace == "" {
		namespace = protocol.Root
	}
	if namespace[0] != '/' || strings.IndexByte(namespace, ',') >= 0 {
		return nil, fmt.Errorf("client: %w %q", protocol.ErrNamespace, namespace)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil, ErrClosed
	}
	s := c.sockets[namespace]
	if s == nil {
		s = newSocket(c, namespace)
		c.sockets[namespace] = s
	}
	s.auth = auth
	return s, nil
}

// Connect is Of and Socket.Connect in one, for programs that need no handler.
func (c *Client) Connect(ctx context.Context, namespace string, auth any) (*Socket, error) {
	s, err := c.Of(namespace, auth)
	if err != nil {
		return nil, err
	}
	return s, s.Connect(ctx)
}

// Drop cuts the TCP connection without a word, as a broken network does. What
// was not written is lost. The client then reconnects as after any break.
func (c *Client) Drop() {
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	if s != nil {
		c.dialer.cut(func() { s.end(errDropped) })
	}
}

// Reconnect opens a new session now, if there is none, and waits until it is
// open or the attempt has failed; with a session it returns nil at once. Sockets
// that were connected connect again by themselves; wait for one by its Connect.
// If ctx ends first, its error is returned and the attempt goes on.
func (c *Client) Reconnect(ctx context.Context) error {
	result := make(chan error, 1)
	select {
	case c.redial <- result:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return ErrClosed
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close disconnects all sockets, gives what was emitted before Config.CloseTimeout
// to go out, and ends the session. Events that wait for a handler are dropped. It
// may be called from a handler; Done says when all handlers have returned. Further
// calls do nothing.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return nil
	}
	c.closing = true
	s := c.session
	for _, sock := range c.sockets {
		if sock.state == online {
			_ = sock.sayGoodbye() // closing is notice enough
		}
	}
	c.mu.Unlock()

	if s != nil {
		ctx, cancel := context.WithTimeout(c.ctx, c.cfg.CloseTimeout)
		defer cancel()
		s.finish()
		select {
		case <-s.ctx.Done():
		case <-ctx.Done():
		}
	}
	c.cancel()
	return nil
}

// Done is closed when the client was closed, or gave up, and all its goroutines
// have ended, those of handlers too.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the client gave up reconnecting; nil if it did not.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// open makes a session on the preferred transport.
func (c *Client) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer cancel()
	s := newSession(c)
	var w wire
	var early []engineio.Packet
	var err error
	if c.cfg.Transports[0] == WebSocket {
		w, err = openWebSocket(ctx, s)
	} else {
		w, early, err = openPolling(ctx, s)
	}
	if err != nil {
		s.end(err)
		return nil, fmt.Errorf("client: connect: %w", err)
	}
	s.touch()
	s.transport = w.name()
	c.decoder.Init(c.cfg.Limits)
	upgrade := w.name() == Polling && slices.Contains(c.cfg.Transports, WebSocket) &&
		slices.Contains(s.hs.Upgrades, string(WebSocket))
	c.attach(s)
	s.start(w, early, upgrade)
	return s, nil
}

// attach makes s the current session and connects the sockets that want to be.
func (c *Client) attach(s *session) {
	c.mu.Lock()
	c.session = s
	var want []*Socket
	for _, sock := range c.sockets {
		if sock.state == waiting {
			want = append(want, sock)
		}
	}
	c.mu.Unlock()
	for _, sock := range want {
		sock.hello(s)
	}
}

// detach tells the sockets that their session has ended.
func (c *Client) detach(err error) {
	why := reason(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = nil
	if c.closing {
		why = ClientDisconnect
	}
	for _, sock := range c.sockets {
		sock.broken(why)
	}
}

// run keeps the connection up until the client is closed.
func (c *Client) run(s *session) {
	defer close(c.done)
	for attempt := 0; ; {
		var asked chan error
		if s != nil {
			asked = c.accompany(s)
			err := s.wait()
			c.http.CloseIdleConnections()
			c.detach(err)
			attempt = 0
			c.cfg.Logger.LogAttrs(c.ctx, slog.LevelDebug, "session ended", slog.Any("err", err))
		}
		var err error
		s, err = c.again(attempt, asked)
		if attempt++; err == nil {
			continue
		}
		if errors.Is(err, ErrClosed) || c.gaveUp(attempt, err) {
			break
		}
	}
	c.cancel()
	c.mu.Lock()
	c.closing = true
	for _, sock := range c.sockets {
		sock.ended()
	}
	c.mu.Unlock()
	c.boxes.Wait()
	c.http.CloseIdleConnections()
}

func (c *Client) gaveUp(attempts int, err error) bool {
	c.cfg.Logger.LogAttrs(c.ctx, slog.LevelDebug, "reconnect failed", slog.Int("attempt", attempts), slog.Any("err", err))
	if c.cfg.MaxAttempts == 0 || attempts < c.cfg.MaxAttempts {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	return true
}

// accompany tells Reconnect that there is a session, until that ends. What was
// asked just then is for the next one, and returned.
func (c *Client) accompany(s *session) (asked chan error) {
	for {
		select {
		case <-s.ctx.Done():
			return nil
		case result := <-c.redial:
			if s.ctx.Err() != nil {
				return result
			}
			result <- nil
		}
	}
}

// again opens a new session: at once for Reconnect, which may have asked
// already, else when it is time.
func (c *Client) again(attempt int, asked chan error) (*session, error) {
	if asked == nil {
		var err error
		if asked, err = c.pause(attempt); err != nil {
			return nil, err
		}
	}
	s, err := c.open(c.ctx)
	if err != nil && c.ctx.Err() != nil {
		err = ErrClosed
	}
	if asked != nil {
		asked <- err
	}
	return s, err
}

// pause waits for the back-off, if a socket wants a connection, or for
// Reconnect, whose result it then returns. Sockets that come to want one do not
// begin the back-off anew.
func (c *Client) pause(attempt int) (result chan error, err error) {
	var delay <-chan time.Time
	for {
		if delay == nil && !c.cfg.NoReconnect && c.wanted() {
			t := time.NewTimer(c.cfg.Backoff(attempt))
			defer t.Stop() // there is one timer
			delay = t.C
		}
		select {
		case <-delay:
			return nil, nil
		case result = <-c.redial:
			return result, nil
		case <-c.poke:
		case <-c.ctx.Done():
			return nil, ErrClosed
		}
	}
}

// wanted reports whether a socket waits for a session.
func (c *Client) wanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sock := range c.sockets {
		if sock.state == waiting {
			return true
		}
	}
	return false
}

// deadline gives ctx the default deadline if it has none.
func (c *Client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.cfg.AckTimeout)
}
