package transport

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
)

// python polls as a client of Python does, which stamps with the time: no two
// of its requests bear the same.
func (p *polling) python(i int) answer {
	p.Helper()
	return p.do("GET", fmt.Sprintf("%s&t=1700000000.%d", p.query, i), "")
}

// A client of Python refuses an answer of more than 16 packets: 40 messages
// reach it in answers of 16, in order, each at once.
func TestFewPackets(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, query, stamp string // %d: the number of the request
		want               []int
	}{
		{"python", "EIO=4", "&t=1700000000.%d", []int{16, 16, 8}},
		{"no stamp", "EIO=4", "&x=%d", []int{16, 16, 8}},
		{"javascript", "EIO=4", "&t=Q84h1ly.%d", []int{40}},
		{"javascript, random", "EIO=4", "&t=7rcanqs%d", []int{40}},
		{"revision 3, python", "EIO=3&b64=1", "&t=1700000000.%d", []int{16, 16, 8}},
		{"revision 3, 1.3.5", "EIO=3&b64=1", "&t=1700000000123-%d", []int{40}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			p := s.openPolling(tc.query)
			x := p.session()
			var want []string
			for i := range 40 {
				want = append(want, fmt.Sprint("x", i))
				x.Send(NewText([]byte(want[i])), 0, false)
			}
			var got []string
			collect := func(p engineio.Packet) error { got = append(got, string(p.Data)); return nil }
			for i, n := range tc.want {
				a := p.do("GET", p.query+fmt.Sprintf(tc.stamp, i), "")
				before := len(got)
				var err error
				if x.Revision() == engineio.V4 {
					err = engineio.DecodePayload4([]byte(a.body), collect)
				} else {
					err = new(engineio.Payload3Decoder).DecodeText([]byte(a.body), collect)
				}
				if err != nil || len(got)-before != n {
					t.Errorf("poll %d: %d packets (%v), want %d: %q", i, len(got)-before, err, n, a.body)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// What counts are packets: attachments are packets, too, and a message is not
// split.
func TestFewPacketsOfAttachments(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	x := p.session()
	message := func(attachments int) *Message {
		f := protocol.Frames{Text: []byte("e")}
		for range attachments {
			f.Binary = append(f.Binary, []byte{0})
		}
		return NewMessage(f, nil)
	}
	for _, n := range []int{9, 4, 0, 0, 2, 20, 1} {
		x.Send(message(n), 0, false)
	}
	for i, want := range []int{10 + 5 + 1, 1 + 3, 21, 2} {
		if a := p.python(i); strings.Count(a.body, "\x1e")+1 != want {
			t.Errorf("poll %d: %d packets, want %d", i, strings.Count(a.body, "\x1e")+1, want)
		}
	}
}

// The handshake's answer holds its own packet and 15 more.
func TestFewPacketsOfHandshake(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	s.app.onOpen = func(x *Session) error {
		for range 20 {
			x.Send(NewText([]byte("x")), 0, false)
		}
		return nil
	}
	p := s.openPolling("EIO=4")
	if n := strings.Count(p.open, "\x1e4x"); n != 15 {
		t.Errorf("%d messages with the handshake", n)
	}
	if a := p.python(1); a.body != records("4x", 5) {
		t.Errorf("then %q", a.body)
	}
}

// A graceful end waits until all is fetched; the close packet comes last.
func TestFewPacketsBeforeClose(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	x := p.session()
	for range 20 {
		x.Send(NewText([]byte("x")), 0, false)
	}
	x.Close("")
	for i, want := range []string{records("4x", 16), records("4x", 4), "1"} {
		if a := p.python(i); a.body != want {
			t.Errorf("poll %d: %q, want %q", i, a.body, want)
		}
	}
	if st := s.engine.Stats(); st.Unsent != 0 || s.engine.Len() != 0 {
		t.Errorf("%d unsent, %d sessions", st.Unsent, s.engine.Len())
	}
}

// Whatever the last poll of an ended session leaves behind is counted.
func TestFewPacketsOfAbruptEnd(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	x := p.session()
	x.mu.Lock() // as if the client were slow to read its poll
	x.life.get = true
	for range 20 {
		x.queue.push(item{msg: NewText([]byte("x"))})
	}
	x.stepLocked(evFail, "")
	b := x.payload(nil, &query{}, x.poll.take())
	x.stepLocked(evGetEnd, "")
	x.pollOver()
	x.mu.Unlock()
	if b.packets != fewPackets || !strings.HasSuffix(string(b.dst), "\x1e1") {
		t.Errorf("%d packets: %q", b.packets, b.dst)
	}
	if st := s.engine.Stats(); st.Unsent != 20-15 {
		t.Errorf("%d unsent, want 5", st.Unsent)
	}
}

// records is a payload of revision 4 that holds n times the same packet.
func records(packet string, n int) string {
	return strings.TrimSuffix(strings.Repeat(packet+"\x1e", n), "\x1e")
}
