package transport

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol/engineio"
)

// webSocketAccept checks a WebSocket handshake and computes the answer to its
// challenge (RFC 6455, 4.2.1 and 4.2.2).
func webSocketAccept(r *http.Request) (string, *RequestError) {
	bad := func(context string) (string, *RequestError) {
		return "", &RequestError{Code: CodeBadRequest, Context: context}
	}
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor < 1 {
		return bad("WebSocket needs GET and HTTP/1.1")
	}
	if v := r.Header["Sec-Websocket-Version"]; len(v) != 1 || v[0] != "13" {
		return "", &RequestError{Code: CodeBadRequest, Status: http.StatusUpgradeRequired, Context: "Sec-WebSocket-Version is not 13"}
	}
	key := r.Header["Sec-Websocket-Key"]
	if len(key) != 1 {
		return bad("Sec-WebSocket-Key missing or repeated")
	}
	if k, err := base64.StdEncoding.DecodeString(key[0]); err != nil || len(k) != 16 {
		return bad("Sec-WebSocket-Key is not 16 bytes in base64")
	}
	sum := sha1.Sum([]byte(key[0] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// accepting is what a 101 is made of.
type accepting struct {
	header http.Header
	key    string // of Sec-WebSocket-Accept
	rev    engineio.Revision
	base64 bool
	first  []byte // frames that leave with it
}

// accept takes the connection over from the HTTP server and answers the
// WebSocket handshake. early is what the client has sent behind its request.
func (e *Engine) accept(w http.ResponseWriter, r *http.Request, a accepting) (c *wsConn, early []byte, err error) {
	deflate := false
	if e.cfg.PerMessageDeflate.Enabled {
		var ext string
		if ext, deflate = wsframe.NegotiateDeflate(r.Header["Sec-Websocket-Extensions"]); deflate {
			a.header.Set("Sec-WebSocket-Extensions", ext)
		}
	}
	if p := e.subprotocol(r); p != "" {
		a.header.Set("Sec-WebSocket-Protocol", p)
	}
	e.responseHeaders(a.header, r)
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		// A server or middleware that cannot give its connection away.
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Status: http.StatusNotImplemented, Context: "hijack: " + err.Error()})
		return nil, nil, err
	}
	_ = nc.SetDeadline(time.Time{})
	// The server's buffers are let go: they would cost 8 KB for each idle
	// connection.
	early = takeBuffered(rw.Reader)
	buf := getBuffer()
	defer putBuffer(buf)
	buf.b = append(a.appendResponse(buf.b[:0]), a.first...)
	_ = nc.SetWriteDeadline(time.Now().Add(e.cfg.WriteTimeout))
	if _, err := nc.Write(buf.b); err != nil {
		_ = nc.Close()
		return nil, nil, err
	}
	_ = nc.SetWriteDeadline(time.Time{})
	return newWSConn(nc, webSocketWire(a.rev, a.base64, deflate), e.cfg.MaxPayload), early, nil
}

// subprotocol is the first of the client's subprotocols that the configuration
// lists (RFC 6455, 4.2.2), in the configuration's own spelling.
func (e *Engine) subprotocol(r *http.Request) string {
	if len(e.cfg.Subprotocols) == 0 {
		return ""
	}
	for _, v := range r.Header["Sec-Websocket-Protocol"] {
		for p := range strings.SplitSeq(v, ",") {
			for _, ours := range e.cfg.Subprotocols {
				if strings.TrimSpace(p) == ours {
					return ours
				}
			}
		}
	}
	return ""
}

func (a *accepting) appendResponse(b []byte) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = append(append(b, a.key...), "\r\n"...)
	for k, vs := range a.header {
		for _, v := range vs {
			if validHeaderText(k) && validHeaderText(v) {
				b = append(append(append(append(b, k...), ": "...), v...), "\r\n"...)
			}
		}
	}
	return append(b, "\r\n"...)
}

func takeBuffered(r *bufio.Reader) []byte {
	n := r.Buffered()
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	n, _ = r.Read(b)
	return b[:n]
}
