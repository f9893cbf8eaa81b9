package natsio

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
)

// sendDue sends what may be sent.
func (a *appender) sendDue(now time.Time) {
	for len(a.queue) > 0 {
		p := a.queue[0]
		switch {
		case p.state == over:
		case !a.room(p, now):
			return
		case !a.try(p, now):
			return
		}
		a.queue[0] = nil
		a.queue = a.queue[1:]
	}
}

// room reports whether an append may be sent now.
func (a *appender) room(p *appending, now time.Time) bool {
	switch {
	case a.alone != nil, p.ordered && a.flying > 0:
		return false
	case a.down && now.Before(a.resume):
		return false
	}
	return a.flying < a.window
}

// try publishes an append. It returns false if that was not possible.
func (a *appender) try(p *appending, now time.Time) bool {
	m := &nats.Msg{
		Subject: p.subject,
		Reply:   a.inbox + strconv.FormatUint(p.n, 36),
		Header:  nats.Header{"Nats-Expected-Stream": {a.l.stream}},
		Data:    p.data,
	}
	if p.id != "" {
		m.Header["Nats-Msg-Id"] = []string{p.id}
	}
	a.l.stats.tries.Add(1)
	if !a.l.b.log.up.Load() {
		p.last = backplane.ErrDisconnected
	} else if p.last = a.l.b.log.nc.PublishMsg(m); p.last == nil {
		p.state, p.sent = flying, now
		a.flying++
		a.flights = append(a.flights, flight{p, now})
		if p.ordered {
			a.alone = p
		}
		return true
	}
	a.fail(now, p.last)
	return false
}
