package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// serverFrames concatenates unmasked frames.
func serverFrames(t testing.TB, frames ...ws.Frame) []byte {
	t.Helper()
	var buf bytes.Buffer
	for _, f := range frames {
		if err := ws.WriteFrame(&buf, f); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// readFrame reads a frame and takes its mask off.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(r, f.Payload)
	ws.Cipher(f.Payload, f.Header.Mask, 0)
	return f, err
}

// discardConn takes what is written and has nothing to read.
type discardConn struct {
	net.Conn
	written bytes.Buffer
}

func (c *discardConn) Write(b []byte) (int, error)      { return c.written.Write(b) }
func (c *discardConn) SetWriteDeadline(time.Time) error { return nil }

func reading(data []byte, limit int) (*webSocket, *discardConn) {
	conn := new(discardConn)
	return &webSocket{conn: conn, in: bufio.NewReaderSize(bytes.NewReader(data), 16), max: limit}, conn
}

func TestReadMessages(t *testing.T) {
	t.Parallel()
	part := func(op ws.OpCode, fin bool, s string) ws.Frame { return ws.NewFrame(op, fin, []byte(s)) }
	long := strings.Repeat("x", 200_000)
	w, conn := reading(serverFrames(t,
		ws.NewTextFrame([]byte("é")),
		ws.NewBinaryFrame(nil),
		part(ws.OpText, false, "\xc3"), ws.NewPingFrame([]byte("are you there")), part(ws.OpContinuation, false, ""),
		ws.NewPongFrame(nil), part(ws.OpContinuation, true, "\xa9"),
		ws.NewBinaryFrame([]byte(long)),
		ws.NewCloseFrame(ws.NewCloseFrameBody(1001, "bye")),
	), 1<<20)
	for _, want := range []struct {
		op   ws.OpCode
		text string
	}{{ws.OpText, "é"}, {ws.OpBinary, ""}, {ws.OpText, "é"}, {ws.OpBinary, long}} {
		op, data, err := w.message()
		if op != want.op || string(data) != want.text || err != nil {
			t.Errorf("got %v of %d bytes, %v, want %v of %d", op, len(data), err, want.op, len(want.text))
		}
	}
	if _, _, err := w.message(); !errors.Is(err, io.EOF) {
		t.Errorf("after close: %v", err)
	}
	for _, want := range []ws.Frame{ws.NewPongFrame([]byte("are you there")), ws.NewCloseFrame(ws.NewCloseFrameBody(1001, "bye"))} {
		f, err := readFrame(&conn.written)
		if err != nil || !f.Header.Masked {
			t.Fatalf("answer: masked %v, %v", f.Header.Masked, err)
		}
		if f.Header.OpCode != want.Header.OpCode || !bytes.Equal(f.Payload, want.Payload) {
			t.Errorf("answered %v %q, want %v %q", f.Header.OpCode, f.Payload, want.Header.OpCode, want.Payload)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	frame := func(h ws.Header, payload string) ws.Frame {
		h.Length = int64(len(payload))
		return ws.Frame{Header: h, Payload: []byte(payload)}
	}
	tests := []struct {
		name   string
		frames []ws.Frame
		want   error
	}{
		{"masked", []ws.Frame{ws.MaskFrame(ws.NewTextFrame([]byte("x")))}, errParse},
		{"reserved bit", []ws.Frame{frame(ws.Header{Fin: true, OpCode: ws.OpText, Rsv: ws.Rsv(true, false, false)}, "x")}, errParse},
		{"unknown opcode", []ws.Frame{frame(ws.Header{Fin: true, OpCode: 3}, "x")}, errParse},
		{"continuation of nothing", []ws.Frame{frame(ws.Header{Fin: true, OpCode: ws.OpContinuation}, "x")}, errParse},
		{"message in a message", []ws.Frame{frame(ws.Header{OpCode: ws.OpText}, "x"), ws.NewTextFrame([]byte("y"))}, errParse},
		{"fragmented ping", []ws.Frame{frame(ws.Header{OpCode: ws.OpPing}, "x")}, errParse},
		{"long ping", []ws.Frame{frame(ws.Header{Fin: true, OpCode: ws.OpPing}, strings.Repeat("x", 126))}, errParse},
		{"no UTF-8", []ws.Frame{ws.NewTextFrame([]byte("\xff"))}, errUTF8},
		{"too large", []ws.Frame{ws.NewTextFrame(make([]byte, 101))}, errTooLarge},
		{"too large in parts", []ws.Frame{frame(ws.Header{OpCode: ws.OpText}, strings.Repeat("x", 60)), frame(ws.Header{Fin: true, OpCode: ws.OpContinuation}, strings.Repeat("x", 41))}, errTooLarge},
		{"the end", nil, io.EOF},
	}
	for _, tt := range tests {
		w, _ := reading(serverFrames(t, tt.frames...), 100)
		_, _, err := w.message()
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	whole := serverFrames(t, ws.NewTextFrame(bytes.Repeat([]byte("x"), 70)))
	for n := range whole {
		w, _ := reading(whole[:n], 100)
		if _, _, err := w.message(); !errors.Is(err, io.EOF) {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// A length that is only claimed costs no more than a step.
func TestClaimedLength(t *testing.T) {
	head := serverFrames(t, ws.NewBinaryFrame(make([]byte, 1<<24)))[:10+100]
	w, _ := reading(head, 1<<25)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := w.message(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<17 {
		t.Errorf("%d bytes allocated for 100", n)
	}
}

// Frames that we write are read back by gobwas/ws.
func TestAppendFrame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 100_000} {
		body := bytes.Repeat([]byte("b"), max(0, n-1))
		head := []byte("4")[:min(1, n)]
		frame := appendFrame([]byte("before"), ws.OpText, head, body)
		f, err := readFrame(bytes.NewReader(frame[len("before"):]))
		if err != nil {
			t.Errorf("%d bytes: %v", n, err)
			continue
		}
		if !f.Header.Fin || f.Header.OpCode != ws.OpText || string(f.Payload) != string(head)+string(body) {
			t.Errorf("%d bytes came back as %d, %+v", n, len(f.Payload), f.Header)
		}
	}
}

// The seeds are in testdata/fuzz, one file each, and run with every go test.

// FuzzMessage: whatever a server sends, reading it ends with an error or with
// messages within the limit.
func FuzzMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 100
		w, _ := reading(data, limit)
		for range len(data) + 1 {
			op, msg, err := w.message()
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, errParse) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if len(msg) > limit || op != ws.OpText && op != ws.OpBinary {
				t.Fatalf("%v of %d bytes", op, len(msg))
			}
			if _, err := decodeFrame(op, msg); err != nil && !errors.Is(err, errParse) {
				t.Fatalf("error %v", err)
			}
		}
		t.Fatal("more messages than bytes")
	})
}

// A pong has the time that every write has.
func TestPongIsPatient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		defer theirs.Close()
		w := &webSocket{conn: ours, in: bufio.NewReader(ours), max: 100, wait: 20 * time.Second}
		read := make(chan error, 1)
		go func() {
			_, _, err := w.message()
			read <- err
		}()
		if _, err := theirs.Write(serverFrames(t, ws.NewPingFrame(nil), ws.NewTextFrame([]byte("2")))); err != nil {
			t.Fatal(err)
		}
		<-time.After(19 * time.Second) // the network takes nothing
		_ = theirs.SetReadDeadline(time.Now().Add(time.Minute))
		if f, err := readFrame(theirs); err != nil || f.Header.OpCode != ws.OpPong {
			t.Errorf("got %v, %v", f.Header.OpCode, err)
		}
		if err := <-read; err != nil {
			t.Error(err)
		}
	})
}

// The context of Dial ends the wait for a server that says nothing.
func TestDialCanceled(t *testing.T) {
	t.Parallel()
	upgraded := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		// The answer to a ping shows that the client waits for the open packet.
		if err := ws.WriteFrame(conn, ws.NewPingFrame(nil)); err != nil {
			t.Error(err)
		}
		if _, err := readFrame(conn); err != nil {
			t.Error(err)
		}
		close(upgraded)
		_, _ = io.Copy(io.Discard, conn)
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := Dial(ctx, srv.URL, Config{Transports: []Transport{WebSocket}, ConnectTimeout: time.Hour})
		ended <- err
	}()
	<-upgraded
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(20 * time.Second):
		srv.CloseClientConnections()
		t.Error("Dial waits on")
	}
}
