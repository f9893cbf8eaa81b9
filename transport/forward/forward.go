package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/transport"
)

// Forwarder passes requests on to other nodes, and takes theirs. It implements
// transport.Forwarder. All methods are safe for concurrent use. Shutdown
// releases it.
type Forwarder struct {
	cfg   Config
	self  string // boot id
	keys  *keyring
	polls *http.Transport

	sent, served              counts
	dialled                   atomic.Uint64
	logSecret, logBroken      seldom
	logUnreachable, logServed seldom

	ctx    context.Context // ends when requests are to be cut
	cancel context.CancelFunc

	mu      sync.Mutex // guards the fields below
	closing bool
	closed  bool
	pending int                  // requests being forwarded
	tunnels map[*tunnel]struct{} // also those being opened
	conns   map[*pooled]struct{} // of polls
	idle    chan struct{}        // closed when closing and nothing is left
}

var _ transport.Forwarder = (*Forwarder)(nil)

// New returns a forwarder for the node that Membership.Self is.
func New(cfg Config) (*Forwarder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	f := &Forwarder{
		cfg: cfg.withDefaults(), self: cfg.Membership.Self().ID,
		tunnels: make(map[*tunnel]struct{}), conns: make(map[*pooled]struct{}), idle: make(chan struct{}),
	}
	var err error
	if f.keys, err = newKeyring(cfg.Secrets, f.self); err != nil {
		return nil, fmt.Errorf("forward: key of a secret: %w", err)
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.polls = f.newTransport()
	return f, nil
}

// Forward implements transport.Forwarder.
func (f *Forwarder) Forward(w http.ResponseWriter, r *http.Request, token string) error {
	return f.pass(w, r, token, f.relay)
}

// Tunnel implements transport.Forwarder.
func (f *Forwarder) Tunnel(w http.ResponseWriter, r *http.Request, token string) error {
	return f.pass(w, r, token, f.openTunnel)
}

// pass finds the home and has to bring the request there.
func (f *Forwarder) pass(w http.ResponseWriter, r *http.Request, token string, to func(http.ResponseWriter, *http.Request, membership.Member) error) error {
	home, err := f.home(r.Context(), token)
	if err == nil {
		if err = f.begin(); err == nil {
			defer f.end()
			err = to(w, r, home)
		}
	}
	return f.judge(home.ID, err)
}

// home returns the member that a token stands for.
func (f *Forwarder) home(ctx context.Context, token string) (membership.Member, error) {
	if isForwarded(ctx) {
		return membership.Member{}, &failure{HopLimit, errors.New("another node took this one for the session's home")}
	}
	m, ok := f.cfg.Membership.ByToken(token)
	if !ok || m.ID == f.self {
		return membership.Member{}, &failure{HomeUnknown, errors.New("no member has the session's token")}
	}
	if m.Addr == "" {
		return m, &failure{HomeDead, errors.New("the session's home has no internal address")}
	}
	return m, nil
}

// failure is why a request was not answered by its home.
type failure struct {
	result Result
	err    error
}

// Error implements error.
func (e *failure) Error() string { return string(e.result) + ": " + e.err.Error() }

// Unwrap returns what went wrong.
func (e *failure) Unwrap() error { return e.err }

// judge counts what became of a request, and says how the client is refused.
func (f *Forwarder) judge(home string, err error) error {
	fail, ok := errors.AsType[*failure](err)
	switch {
	case err == nil:
		f.sent.add(Forwarded)
		return nil
	case !ok:
		fail = &failure{Broken, err}
	}
	f.sent.add(fail.result)
	re := &transport.RequestError{Code: transport.CodeSessionUnknown, Message: "Session out of reach", Context: "forward: " + fail.Error()}
	switch fail.result {
	case HomeUnknown, HopLimit:
		re.Message = "" // nobody knows it
	case HomeDead, RefusedSecret, Full, Closing:
		re.Status = http.StatusServiceUnavailable
	case ClientGone:
		return nil // nobody is there to be answered
	case BadBody:
		re.Code, re.Message = transport.CodeBadRequest, ""
	case Late:
		re.Status = http.StatusGatewayTimeout
	default:
		re.Status = http.StatusBadGateway
	}
	f.log(fail, home)
	return re
}

func (f *Forwarder) log(fail *failure, home string) {
	var s *seldom
	switch fail.result {
	case RefusedSecret:
		s = &f.logSecret
	case HomeDead:
		s = &f.logUnreachable
	case Broken, Late, RefusedRequest:
		s = &f.logBroken
	default:
		return
	}
	if s.ok() {
		f.cfg.Logger.Warn("a request was not forwarded", "result", string(fail.result), "home", home, "err", fail.err)
	}
}

// begin counts a request, unless Shutdown was called.
func (f *Forwarder) begin() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing {
		return &failure{Closing, errors.New("shutting down")}
	}
	f.pending++
	return nil
}

func (f *Forwarder) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending--
	f.settle()
}

// settle tells Shutdown when nothing is left; f.mu is held.
func (f *Forwarder) settle() {
	if f.closing && !f.closed && f.pending == 0 && len(f.tunnels) == 0 {
		f.closed = true
		close(f.idle)
	}
}

// bound returns a context that ends with the request's, and with the forwarder.
func (f *Forwarder) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(f.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// interrupted names the reason if a request ended because somebody wanted it to.
func (f *Forwarder) interrupted(r *http.Request, err error) error {
	cause := r.Context().Err()
	if err == nil { // it ended between two steps
		err = cmp.Or(cause, f.ctx.Err())
	}
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		return &failure{Late, err}
	case cause != nil:
		return &failure{ClientGone, err}
	case f.ctx.Err() != nil: // and the home may have it
		return &failure{Broken, err}
	}
	return nil
}

// dial connects to a home; an error says that nothing was sent to it.
func (f *Forwarder) dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.DialTimeout)
	defer cancel()
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: f.cfg.CheckInterval, Interval: max(f.cfg.CheckTimeout/3, time.Second), Count: 3}}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, &failure{HomeDead, err}
	}
	f.dialled.Add(1)
	return c, nil
}
