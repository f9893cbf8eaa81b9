package soak

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// oldVisit is the life of a client of Engine.IO revision 3, which is in "/" as
// soon as it is connected.
func (s *soak) oldVisit(ctx context.Context, i int, v visit) error {
	var wire oldWire
	var err error
	if v.way == oldSocket {
		wire, err = dialOld(ctx, s.url)
	} else {
		wire, err = openOld(ctx, s.url)
	}
	if err != nil {
		return err
	}
	defer wire.close()
	if err := wire.await("40"); err != nil {
		return err
	}
	s.entered.Add(1)
	for _, step := range [][2]string{
		{`420["join","room ` + fmt.Sprint(i%50) + `"]`, `430[3]`},
		{`421["say","text of ` + fmt.Sprint(i) + `"]`, `431["text of ` + fmt.Sprint(i) + `"]`},
	} {
		if err := wire.send(step[0]); err != nil {
			return err
		}
		if err := wire.await(step[1]); err != nil {
			return err
		}
	}
	s.said.Add(1)
	switch v.end {
	case closes:
		return wire.send("1")
	case thrown:
		if err := wire.send(`42["kick",true]`); err != nil {
			return err
		}
		if err := wire.await("41"); err != nil {
			return err
		}
		_ = wire.await("1") // which may have come with it
		return nil
	default: // breaks
		return nil
	}
}

// oldWire carries packets of one session. close resets what is open.
type oldWire interface {
	send(packet string) error
	await(packet string) error
	close()
}

const oldQuery = "/socket.io/?EIO=3&transport="

// oldWebSocket is a WebSocket.
type oldWebSocket struct{ net.Conn }

func dialOld(ctx context.Context, url string) (oldWire, error) {
	conn, br, _, err := ws.Dial(ctx, "ws"+strings.TrimPrefix(url, "http")+oldQuery+"websocket")
	if err != nil {
		return nil, err
	}
	if br != nil { // what came with the handshake's answer
		early, _ := br.Peek(br.Buffered())
		conn = &prefixed{conn, io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn)}
		ws.PutReader(br)
	}
	if at, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(at)
	}
	return oldWebSocket{conn}, nil
}

type prefixed struct {
	net.Conn
	r io.Reader
}

func (p *prefixed) Read(b []byte) (int, error) { return p.r.Read(b) }

func (w oldWebSocket) send(packet string) error {
	return wsutil.WriteClientText(w.Conn, []byte(packet))
}

func (w oldWebSocket) await(packet string) error {
	for {
		got, err := wsutil.ReadServerText(w.Conn)
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", packet, err)
		}
		if string(got) == packet {
			return nil
		}
	}
}

func (w oldWebSocket) close() {
	conn := w.Conn
	if p, ok := conn.(*prefixed); ok {
		conn = p.Conn
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// oldPoll is long polling, with a connection for each request.
type oldPoll struct {
	ctx   context.Context
	url   string
	early string // packets that came with the handshake's answer
}

var (
	oneRequest = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	sessionID  = regexp.MustCompile(`"sid":"([^"]+)"`)
)

func openOld(ctx context.Context, url string) (oldWire, error) {
	p := &oldPoll{ctx: ctx, url: url + oldQuery + "polling&b64=1"}
	body, err := p.do(http.MethodGet, "")
	if err != nil {
		return nil, err
	}
	sid := sessionID.FindStringSubmatch(body)
	if sid == nil {
		return nil, fmt.Errorf("the handshake has no id: %s", body)
	}
	p.url += "&sid=" + sid[1]
	p.early = body
	return p, nil
}

func (p *oldPoll) send(packet string) error {
	_, err := p.do(http.MethodPost, fmt.Sprintf("%d:%s", len(packet), packet)) // ASCII
	return err
}

func (p *oldPoll) await(packet string) error {
	want := fmt.Sprintf("%d:%s", len(packet), packet)
	for body := p.early; !strings.Contains(body, want); {
		var err error
		if body, err = p.do(http.MethodGet, ""); err != nil {
			return fmt.Errorf("waiting for %s: %w", packet, err)
		}
	}
	p.early = ""
	return nil
}

func (p *oldPoll) close() {} // no request is open

func (p *oldPoll) do(method, body string) (string, error) {
	req, err := http.NewRequestWithContext(p.ctx, method, p.url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	res, err := oneRequest.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d %s", method, res.StatusCode, got)
	}
	return string(got), err
}
