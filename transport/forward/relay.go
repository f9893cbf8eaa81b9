package forward

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/siod-io/siod/membership"
)

// relay has the home answer a poll or POST.
func (f *Forwarder) relay(w http.ResponseWriter, r *http.Request, home membership.Member) error {
	ctx, cancel := f.bound(r.Context())
	defer cancel()
	rc := http.NewResponseController(w)
	out := (&http.Request{
		Method: r.Method, URL: &url.URL{Scheme: f.scheme(), Host: home.Addr, Path: Path},
		Proto: "HTTP/2.0", ProtoMajor: 2, Header: f.outgoing(r, home.ID), Host: home.Addr,
		Body: http.NoBody,
	}).WithContext(ctx)
	var in *body
	if r.ContentLength != 0 && r.Body != nil { // in HTTP/2 there always is a Body
		in = &body{src: r.Body, rc: rc, wait: f.cfg.ReadTimeout}
		defer in.detach()
		out.Body, out.ContentLength = in, r.ContentLength
	} else {
		// The time-outs of the HTTP server are for requests that are answered at
		// once. A poll is bounded by its context.
		_ = rc.SetReadDeadline(time.Time{})
	}
	resp, err := f.polls.RoundTrip(out)
	if err != nil {
		if in != nil {
			if why := in.failed(r.Context()); why != nil {
				return &failure{BadBody, why}
			}
		}
		if why := f.interrupted(r, err); why != nil {
			return why
		}
		return err
	}
	defer resp.Body.Close()
	if err := checkAnswer(resp); err != nil {
		return err
	}
	passHeader(w.Header(), resp.Header)
	f.copyAnswer(w, rc, resp, r, home.ID)
	return nil
}

// checkAnswer makes sure that a response is that of an engine.
func checkAnswer(resp *http.Response) error {
	if resp.Header.Get(headVersion) == version {
		return nil
	}
	switch resp.Header.Get(headRefused) {
	case refusedPass:
		return &failure{RefusedSecret, errors.New("the home does not know our secret")}
	case refusedTo:
		return &failure{HomeUnknown, errors.New("another boot has the address of the session's home")}
	case refusedRequest:
		return &failure{RefusedRequest, errors.New("the home answered " + resp.Status)}
	}
	return &failure{Broken, errors.New("at the home's address something else answered " + resp.Status)}
}

// passHeader takes the home's headers over. What a middleware here has set
// already is replaced, but for the two that are made to be added to.
func passHeader(dst, src http.Header) {
	for k, vs := range src {
		switch {
		case ofConnection(k) || ours(k):
		case k == "Vary" || k == "Set-Cookie":
			dst[k] = append(dst[k], vs...)
		default:
			dst[k] = vs
		}
	}
	if src.Get(headClose) != "" {
		dst.Set("Connection", "close")
	}
}

// copyAnswer streams the answer to the client. Each write has a deadline of its
// own, as those of an engine have.
func (f *Forwarder) copyAnswer(w http.ResponseWriter, rc *http.ResponseController, resp *http.Response, r *http.Request, home string) {
	_ = rc.SetWriteDeadline(time.Now().Add(f.cfg.WriteTimeout))
	w.WriteHeader(resp.StatusCode)
	buf := getChunk()
	defer putChunk(buf)
	for left := resp.ContentLength; ; {
		n, err := resp.Body.Read(buf[:])
		if left -= int64(n); left == 0 && err == nil {
			err = f.awaitEnd(resp.Body)
		}
		if n > 0 {
			_ = rc.SetWriteDeadline(time.Now().Add(f.cfg.WriteTimeout))
			if _, err := w.Write(buf[:n]); err != nil {
				return // the client is gone; closing resp.Body tells the home
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			fail := &failure{Broken, err}
			if why, ok := errors.AsType[*failure](f.interrupted(r, err)); ok {
				fail = why
			}
			f.sent.add(fail.result)
			f.log(fail, home)
			panic(http.ErrAbortHandler) // see transport.Forwarder
		}
	}
	_ = rc.Flush()
	_ = rc.SetWriteDeadline(time.Time{})
}

// awaitEnd waits until the home has ended an answer of which all bytes came. A
// client may leave as soon as it has them (HAProxy does, for a client that says
// "Connection: close"), and a home that is told of it before its own end takes
// the answer for lost, and with it the session. A home that does not end in
// WriteTimeout, since something in front of its engine goes on, is not waited for.
func (f *Forwarder) awaitEnd(body io.ReadCloser) error {
	late := time.AfterFunc(f.cfg.WriteTimeout, func() { _ = body.Close() })
	defer late.Stop()
	_, _ = io.ReadFull(body, make([]byte, 1))
	return io.EOF // whatever becomes of the home now
}

// body is a request's body on its way to the home. net/http may read on after
// the answer has come, when the connection is already another request's: then
// it gets nothing more, and sets no deadline.
type body struct {
	src  io.Reader
	rc   *http.ResponseController
	wait time.Duration

	mu    sync.Mutex
	over  bool
	whole bool  // its end was read
	err   error // why reading failed
}

// Read implements io.Reader. The engine has the same deadline for each piece.
func (b *body) Read(p []byte) (int, error) {
	if !b.arm(time.Now().Add(b.wait)) {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.src.Read(p)
	switch {
	case err == io.EOF:
		// However long the home takes now, the connection is to be kept.
		b.arm(time.Time{})
		b.mu.Lock()
		b.whole = true
		b.mu.Unlock()
	case err != nil:
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
	return n, err
}

// Close implements io.Closer. The HTTP server closes the body itself.
func (b *body) Close() error {
	b.detach()
	return nil
}

// arm sets the read deadline and reports whether the body may still be read.
func (b *body) arm(t time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		_ = b.rc.SetReadDeadline(t)
	}
	return !b.over
}

func (b *body) detach() {
	b.mu.Lock()
	b.over = true
	b.mu.Unlock()
}

// failed returns why the body did not come, nil if it did, or may yet. The HTTP
// server ends the request's context when it cannot read on, and only then
// returns from Read: this may be called between the two.
func (b *body) failed(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil && !b.whole && errors.Is(ctx.Err(), context.Canceled) {
		return errors.New("the body broke off")
	}
	return b.err
}
