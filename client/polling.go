package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/siod-io/siod/protocol/engineio"
)

var (
	errPing    = errors.New("client: no ping from the server in time")
	errDropped = errors.New("client: connection cut")
)

// polling carries a session over HTTP requests: GETs that wait for packets, and
// POSTs that bring some (Engine.IO protocol, "HTTP long-polling").
type polling struct {
	client *Client
	url    string // with sid
	hs     engineio.Handshake
}

// openPolling makes the handshake. early are packets that came with it.
func openPolling(ctx context.Context, s *session) (w *polling, early []engineio.Packet, err error) {
	p := &polling{client: s.client, url: s.client.requestURL(Polling, "")}
	body, err := p.get(ctx)
	if err != nil {
		return nil, nil, err
	}
	err = engineio.DecodePayload4(body, func(e engineio.Packet) error {
		early = append(early, e)
		return nil
	})
	if err != nil || early[0].Type != engineio.Open {
		return nil, nil, errors.Join(errParse, err)
	}
	if s.hs, err = engineio.ParseOpen(early[0].Data); err != nil {
		return nil, nil, errors.Join(errParse, err)
	}
	p.hs = s.hs
	p.url = s.client.requestURL(Polling, s.hs.SID)
	return p, early[1:], nil
}

func (p *polling) name() Transport { return Polling }

// read makes one poll.
func (p *polling) read(s *session) error {
	ctx, cancel := context.WithDeadlineCause(s.ctx, s.deadline(), errPing)
	defer cancel()
	body, err := p.get(ctx)
	if err != nil {
		if context.Cause(ctx) == errPing {
			return errPing
		}
		return err
	}
	var handled error
	err = engineio.DecodePayload4(body, func(e engineio.Packet) error {
		handled = s.handle(e)
		return handled
	})
	if err != nil && handled == nil {
		return errors.Join(errParse, err)
	}
	return err
}

// write makes as many POSTs as the server's limit asks for.
func (p *polling) write(ctx context.Context, packets []engineio.Packet) error {
	var body []byte
	for _, e := range packets {
		if p.hs.MaxPayload > 0 && len(body) > 0 && len(body)+engineio.Payload4Size(e) > p.hs.MaxPayload {
			if err := p.post(ctx, body); err != nil {
				return err
			}
			body = nil // the request that was answered may still be reading the old one
		}
		body = engineio.AppendPayload4(body, e)
	}
	return p.post(ctx, body)
}

func (p *polling) bye(ctx context.Context) bool {
	// What can be lost is the notice alone: the server then notices the
	// missing polls.
	_ = p.write(ctx, []engineio.Packet{{Type: engineio.Close}})
	return false
}

func (p *polling) get(ctx context.Context) ([]byte, error) {
	return p.do(ctx, http.MethodGet, nil)
}

func (p *polling) post(ctx context.Context, body []byte) error {
	_, err := p.do(ctx, http.MethodPost, body)
	return err
}

func (p *polling) do(ctx context.Context, method string, body []byte) ([]byte, error) {
	// The last parameter keeps caches from answering.
	u := p.url + "&t=" + strconv.FormatInt(time.Now().UnixNano(), 36)
	req, err := http.NewRequestWithContext(ctx, method, u, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range p.client.cfg.Header {
		req.Header[k] = v
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	if method == http.MethodPost {
		req.Header = req.Header.Clone()
		req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	resp, err := p.client.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	limit := int64(p.client.cfg.MaxMessage)
	got, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, parseHTTPError(resp.StatusCode, got)
	case int64(len(got)) > limit:
		return nil, errors.Join(errParse, errTooLarge)
	}
	return got, nil
}

var errTooLarge = errors.New("client: message larger than MaxMessage")
