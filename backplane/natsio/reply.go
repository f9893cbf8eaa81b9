package natsio

import (
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

// receiveReplies brings replies to the calls that wait for them.
func (b *Backplane) receiveReplies() {
	for {
		select {
		case <-b.closed:
			return
		case m := <-b.answers:
			b.takeReply(m)
		}
	}
}

// noResponders is the status with which a server says that nobody is subscribed
// where a request went.
const noResponders = "503"

func (b *Backplane) takeReply(msg *nats.Msg) {
	b.stats.received.Add(1)
	n, err := strconv.ParseUint(msg.Subject[len(b.inbox)+len("r."):], 36, 64)
	if err != nil {
		b.stats.malformed.Add(1)
		return
	}
	c := b.calls.get(n)
	if c == nil {
		return // nobody waits any more
	}
	if len(msg.Data) == 0 && msg.Header.Get("Status") == noResponders {
		c.refused(b.isDown)
		return
	}
	m, ok := b.decode(msg)
	if !ok {
		return
	}
	b.hear(m.From())
	c.reply(m)
}

// replier returns the Reply function of a delivery. Replies to one request leave
// in the order of the calls, and the last one says how many they were.
func (b *Backplane) replier(to string) func(*backplane.Envelope, bool) error {
	var (
		mu    sync.Mutex
		sent  uint64
		ended bool
	)
	return func(env *backplane.Envelope, final bool) error {
		if env == nil && !final {
			return nil
		}
		m := wire.Message{Sender: b.id, Final: final}
		if env != nil {
			if err := b.cfg.Limits.Check(env); err != nil {
				return err
			}
			m.Envelope, m.Sender = *env, b.from(env.Origin)
		}
		mu.Lock()
		defer mu.Unlock()
		if ended {
			return nil
		}
		if b.isClosed() {
			return backplane.ErrClosed
		}
		if final {
			m.Replies = sent + 1
		}
		if err := b.live.publish(to, "", m.Append(nil)); err != nil {
			return err
		}
		sent++
		ended = final
		return nil
	}
}
