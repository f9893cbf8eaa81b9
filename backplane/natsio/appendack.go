package natsio

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane"
)

// answer takes what the log says to a try, of now or of before.
func (a *appender) answer(m *nats.Msg) {
	n, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, a.inbox), 36, 64)
	if err != nil {
		return
	}
	seq, duplicate, err := readAck(m)
	now := time.Now()
	a.mu.Lock()
	p := a.open[n]
	if p == nil {
		a.mu.Unlock()
		return // given up
	}
	if err != nil && !final(err) {
		p.last = err
		if p.state == flying {
			a.again(p)
		}
		a.fail(now, err)
		a.mu.Unlock()
		return
	}
	a.end(p)
	p.seq = seq
	outage := a.mended(now)
	a.window = min(2*a.window, a.l.cfg.Pipeline)
	a.mu.Unlock()
	if outage > 0 {
		a.l.b.logger.Info("the log takes writes again", "stream", a.l.stream, "after", outage.Round(time.Millisecond))
	}
	if err != nil {
		p.finish(backplane.Position{}, err)
		return
	}
	a.l.confirmed(p, duplicate)
}

// confirmed takes an append that is stored.
func (l *eventLog) confirmed(p *appending, duplicate bool) {
	if duplicate {
		l.stats.duplicates.Add(1) // and it may not have been given out (V2)
	}
	l.mu.Lock()
	tailed := l.tailed
	if tailed && !l.ended {
		l.hints.acked = append(l.hints.acked, p)
		l.hints.check = l.hints.check || duplicate
	}
	ended := l.ended
	l.mu.Unlock()
	switch {
	case ended:
		p.finish(backplane.Position{}, backplane.ErrClosed)
		return
	case tailed:
		l.wake()
		return
	}
	l.b.wg.Go(func() { p.finish(l.locate(p), nil) })
}

// readAck reads the answer to a publication.
func readAck(m *nats.Msg) (seq uint64, duplicate bool, err error) {
	if status := m.Header.Get("Status"); status != "" {
		return 0, false, nats.ErrNoResponders
	}
	var ack struct {
		Seq       uint64              `json:"seq"`
		Duplicate bool                `json:"duplicate"`
		Error     *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(m.Data, &ack); {
	case err != nil:
		return 0, false, err
	case ack.Error != nil:
		return 0, false, ack.Error
	case ack.Seq == 0:
		return 0, false, errNoAnswer
	}
	return ack.Seq, ack.Duplicate, nil
}

// final reports whether another try would be refused as well.
func final(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.Code == 400 && api.ErrorCode != jetstream.JSErrCodeStreamNotFound
}
