package transport

import (
	"testing"

	"github.com/siod-io/siod/protocol"
)

// What is sent is counted the same whichever way it takes: directly, through
// the shard, as a frame of one session, as a replay, or over polling.
func TestStatsOfSending(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Shards: 1})
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	x := s.app.session(t)
	ways := map[string]struct {
		send  func()
		count uint64
	}{
		"direct":  {func() { x.Send(NewText([]byte("a")), 0, false) }, 1},
		"shard":   {func() { x.Shard().Post(Cast{Message: NewText([]byte("a")), Solo: Recipient{Session: x}}) }, 1},
		"frames":  {func() { x.SendFrames(protocol.Frames{Text: []byte("a")}) }, 1},
		"replay":  {func() { x.SendReplay([]*Message{NewText([]byte("a")), NewText([]byte("a"))}, 0) }, 2},
		"stamped": {func() { x.SendStamped(0, func(uint64) *Message { return NewText([]byte("a")) }) }, 1},
	}
	for name, way := range ways {
		before := s.engine.Stats()
		way.send()
		for range way.count {
			c.expect("4a")
		}
		counted := func() bool {
			now := s.engine.Stats()
			return now.Delivered-before.Delivered == way.count && now.BytesSent-before.BytesSent == way.count*4 && now.Writes-before.Writes == 1
		}
		eventually(t, name+" to be counted", counted) // a pass adds up at its end
	}

	before := s.engine.Stats()
	p := s.openPolling("EIO=4")
	y := p.session()
	for range 3 {
		y.Send(NewText([]byte("abc")), 0, false)
	}
	now := s.engine.Stats()
	if now.Delivered-before.Delivered != 3 || now.Queued != 3 || now.QueuedBytes != 3*(3+itemOverhead) {
		t.Errorf("%d delivered, %d messages, %d bytes queued", now.Delivered-before.Delivered, now.Queued, now.QueuedBytes)
	}
	body := p.poll().body
	eventually(t, "the answers to be counted", func() bool {
		now = s.engine.Stats()
		return now.BytesSent-before.BytesSent == uint64(len(p.open)+len(body))
	})
	if now.Queued != 0 || now.QueuedBytes != 0 {
		t.Errorf("%d messages, %d bytes queued", now.Queued, now.QueuedBytes)
	}
}

// A slow client's queue shows, and what it lost is counted when it ends.
func TestStatsOfASlowClient(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Shards: 1, Queue: Queue{MaxMessages: 10}})
	_, x := slow(t, s)
	big := make([]byte, 64<<10)
	sent := uint64(0)
	for x.Send(NewBinary(big), 0, false) {
		sent++
	}
	st := s.engine.Stats()
	if st.SlowConsumers != 1 || st.Delivered != sent || st.Queued != 0 {
		t.Errorf("%d slow consumers, %d delivered of %d, %d queued", st.SlowConsumers, st.Delivered, sent, st.Queued)
	}
	if st.Unsent != 11 { // with the one that was too many
		t.Errorf("%d unsent, want 11", st.Unsent)
	}
}
