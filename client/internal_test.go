package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
)

func TestExponential(t *testing.T) {
	t.Parallel()
	exact := Exponential(time.Second, 5*time.Second, 0.5, func() float64 { return 0.5 })
	var got []time.Duration
	for n := range 5 {
		got = append(got, exact(n))
	}
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	low := Exponential(time.Second, 5*time.Second, 0.5, func() float64 { return 0 })
	if d := low(1); d != time.Second {
		t.Errorf("least of 2s is %v", d)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1<<40).Draw(t, "attempt")
		random := Exponential(time.Second, 5*time.Second, 0.5, nil)
		if d := random(n); d < time.Second/2 || d > 5*time.Second {
			t.Fatalf("attempt %d waits %v", n, d)
		}
	})
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{}.withDefaults()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if d := c.Backoff(0); d < time.Second/2 || d > 3*time.Second/2 {
		t.Errorf("first delay %v", d)
	}
	err := Config{Transports: []Transport{"x"}, Parser: 7, Path: "y", SendQueue: -1}.Validate()
	var list interface{ Unwrap() []error }
	if !errors.As(err, &list) || len(list.Unwrap()) != 4 {
		t.Errorf("got %v, want four errors", err)
	}
}

func TestRequestURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ url, path, polling, webSocket string }{
		{"http://h:1", "", "http://h:1/socket.io/?EIO=4&sid=s&transport=polling", "ws://h:1/socket.io/?EIO=4&sid=s&transport=websocket"},
		{"wss://h/", "", "https://h/socket.io/?EIO=4&sid=s&transport=polling", "wss://h/socket.io/?EIO=4&sid=s&transport=websocket"},
		{"ws://h/x/?a=b#c", "", "http://h/x/?EIO=4&a=b&sid=s&transport=polling", "ws://h/x/?EIO=4&a=b&sid=s&transport=websocket"},
		{"https://h/x/", "/y/", "https://h/y/?EIO=4&sid=s&transport=polling", "wss://h/y/?EIO=4&sid=s&transport=websocket"},
	}
	for _, tt := range tests {
		u, err := parseURL(tt.url, tt.path)
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		c := &Client{url: u}
		if diff := cmp.Diff([]string{tt.polling, tt.webSocket}, []string{c.requestURL(Polling, "s"), c.requestURL(WebSocket, "s")}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.url, diff)
		}
	}
}

func TestConnectPayload(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	tests := []struct {
		auth        any
		pid, offset string
		want        string
		err         error
	}{
		{auth: nil, want: ""},
		{auth: map[string]any{}, want: "{}"},
		{auth: struct{ Token string }{"x"}, want: `{"Token":"x"}`},
		{auth: func() (any, error) { return map[string]int{"a": 1}, nil }, want: `{"a":1}`},
		{auth: func() (any, error) { return nil, failed }, err: failed},
		{auth: "text", err: errAuth},
		{auth: []int{1}, err: errAuth},
		{auth: map[string][]byte{"a": {1}}, err: errAuth},
		{auth: make(chan int), err: errAuth},
		{auth: nil, pid: `p"`, want: `{"pid":"p\""}`},
		{auth: nil, pid: "p", offset: "o", want: `{"pid":"p","offset":"o"}`},
		{auth: map[string]any{}, pid: "p", want: `{"pid":"p"}`},
		{auth: map[string]any{"pid": "mine"}, pid: "p", want: `{"pid":"p","pid":"mine"}`},
	}
	for _, tt := range tests {
		got, err := connectPayload(protocol.JSON, tt.auth, tt.pid, tt.offset)
		if !errors.Is(err, tt.err) {
			t.Errorf("%v: error %v, want %v", tt.auth, err, tt.err)
			continue
		}
		var want, is any
		if tt.want != "" && err == nil {
			if err := errors.Join(protocol.JSON.DecodeValue([]byte(tt.want), nil, &want), protocol.JSON.DecodeValue(got, nil, &is)); err != nil {
				t.Errorf("%s: %v", got, err)
			}
		} else if err == nil && got != nil {
			t.Errorf("%v: got %s", tt.auth, got)
		}
		if diff := cmp.Diff(want, is); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.auth, diff)
		}
	}
}

func TestOffset(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, args, want string
		ok               bool
	}{
		{"news", `[]`, "news", true}, {"news", `["a"]`, "a", true}, {"news", `[1,"\u0061"]`, "a", true},
		{"news", `["a",1]`, "", false}, {"news", `["a",null]`, "", false}, {"news", `[{"a":"b"}]`, "", false},
	} {
		raw, err := protocol.ParseArgs([]byte(tt.args), nil)
		if err != nil {
			t.Fatal(err)
		}
		e := &Event{Name: tt.name, Args: Args{raw: raw, codec: protocol.JSON}}
		if got, ok := e.offset(); got != tt.want || ok != tt.ok {
			t.Errorf("%s %s: %q, %v", tt.name, tt.args, got, ok)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for want, errs := range map[Reason][]error{
		ClientDisconnect: {ErrClosed, context.Canceled},
		PingTimeout:      {errPing, context.DeadlineExceeded, errors.Join(io.EOF, context.DeadlineExceeded)},
		TransportClose:   {io.EOF, errDropped, errors.Join(io.EOF, io.ErrUnexpectedEOF)},
		TransportError:   {io.ErrShortWrite, &HTTPError{Status: 400, Code: 1}},
		ParseError:       {errors.Join(errParse, &protocol.SyntaxError{})},
	} {
		for _, err := range errs {
			if got := reason(err); got != want {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		}
	}
}

func TestMailbox(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	b := newMailbox(&wg)
	open := make(chan struct{})
	var got []string
	note := func(s string) func() { return func() { got = append(got, s) } }
	b.post(func() { <-open })
	if b.postEvent(2, note("1")) != nil || b.postEvent(2, note("2")) != nil {
		t.Fatal("no room for two events")
	}
	room := b.postEvent(2, note("3"))
	if room == nil {
		t.Fatal("room for a third event")
	}
	b.post(note("notice"))
	close(open)
	<-room
	wg.Wait()
	if diff := cmp.Diff([]string{"1", "2", "notice"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// Sealed, it drops events that wait and keeps notices that wait.
	got, open = nil, make(chan struct{})
	b.post(func() { <-open })
	b.postEvent(1, note("dropped"))
	b.post(note("kept"))
	b.seal()
	b.post(note("late"))
	b.postEvent(1, note("late"))
	close(open)
	wg.Wait()
	if diff := cmp.Diff([]string{"kept"}, got); diff != "" {
		t.Errorf("sealed (-want +got):\n%s", diff)
	}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	u := func(s string) unit { return unit{head: engineio.Packet{Type: engineio.Message, Data: []byte(s)}} }
	texts := func(ps []engineio.Packet) (s []string) {
		for _, p := range ps {
			s = append(s, string(p.Data))
		}
		return s
	}
	o := newOutbox(2)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	if err := errors.Join(o.put(ctx, done, u("1")), o.put(ctx, done, unit{head: u("2").head, attachments: [][]byte{[]byte("a"), []byte("b")}})); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := o.put(ctx, done, u("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("a third: %v", err)
	}
	o.putNow(u("connect"))
	for range 3 { // pings that come faster than we write
		o.putPong(u("old pong"))
	}
	o.putPong(u("pong"))
	ps, empty := o.take(nil)
	if diff := cmp.Diff([]string{"pong", "1", "2", "a", "b", "connect"}, texts(ps)); diff != "" || !empty {
		t.Errorf("empty %v (-want +got):\n%s", empty, diff)
	}
	if err := o.put(t.Context(), done, u("again")); err != nil {
		t.Errorf("room was not given back: %v", err)
	}
	close(done)
	if err := o.put(t.Context(), done, u("x")); !errors.Is(err, ErrDisconnected) {
		t.Errorf("after the end: %v", err)
	}

	o = newOutbox(1)
	var want, got []string
	for i := range 3*maxBatch + 1 {
		want = append(want, fmt.Sprint(i))
		o.putNow(u(want[i]))
	}
	for range 4 {
		<-o.wake
		ps, empty = o.take(nil)
		got = append(got, texts(ps)...)
	}
	if !slices.Equal(want, got) || !empty {
		t.Errorf("%d of %d in batches, empty %v", len(got), len(want), empty)
	}
}
