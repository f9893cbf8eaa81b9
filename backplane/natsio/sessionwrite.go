package natsio

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane"
)

// rollupSubject has a message replace what is stored on its subject.
var rollupSubject = []string{"sub"}

const (
	headerRollup   = "Nats-Rollup"
	headerExpected = "Nats-Expected-Last-Subject-Sequence"
	headerID       = "Nats-Msg-Id"
)

// Record implements backplane.Sessions.
func (s *sessions) Record(changes []backplane.SessionRecord, done func(error)) error {
	for _, r := range changes {
		if err := s.b.cfg.Limits.CheckSession(r); err != nil {
			return err
		}
		overhead := headerRoom + recordOverhead + len(r.PID) + len(s.b.id)
		if most := int(s.b.log.maxPayload.Load()) - overhead; len(r.State) > most {
			return &backplane.LimitError{Limit: "Payload", Max: most, Got: len(r.State)}
		}
	}
	if err := s.journal.record(changes, done); err != nil {
		return err
	}
	nudge(s.written)
	return nil
}

// write is the goroutine that stores the journal: one message at a time, which
// is tried until it is stored, so that they are stored in their order.
func (s *sessions) write() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		b, finished, wait := s.journal.next(time.Now())
		for _, c := range finished {
			c.done(nil)
		}
		if b != nil {
			if !s.store(b) {
				s.fail(b)
				return
			}
			for _, c := range s.journal.stored(b) {
				c.done(nil)
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-s.written:
		case <-timer.C:
		case <-s.b.closed:
			s.fail(nil)
			return
		}
	}
}

// fail ends the calls that wait.
func (s *sessions) fail(flying *batch) {
	for _, c := range s.journal.close(flying) {
		c.done(backplane.ErrClosed)
	}
}

// store publishes a message until it is stored. It returns false if the
// backplane was closed before.
func (s *sessions) store(b *batch) bool {
	m := &nats.Msg{
		Subject: s.b.space.Journal(s.b.id, strconv.FormatUint(b.space, 10)),
		Header:  nats.Header{headerID: {fmt.Sprintf("%s-j-%d", s.b.id, b.number)}},
		Data:    b.data,
	}
	if b.first {
		m.Header[headerRollup] = rollupSubject
	}
	for tries := 0; ; tries++ {
		_, _, _, err := s.put(s.b.life, m)
		if err == nil {
			break
		}
		if s.b.isClosed() {
			return false
		}
		if tries == 20 { // some seconds
			s.b.logger.Warn("the journal of sessions cannot be stored", "stream", s.stream, "err", err)
		}
		if absent(err) {
			nudge(s.look)
		}
		if s.pause(s.b.life, err) != nil {
			return false
		}
	}
	s.stats.messages.Add(1)
	s.stats.bytes.Add(uint64(len(b.data)))
	s.stats.records.Add(uint64(len(b.sessions)))
	s.stats.moved.Add(uint64(b.moved))
	return true
}

// absent reports whether an error can mean that the stream is gone.
func absent(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return errors.Is(err, nats.ErrNoResponders) || ok && api.ErrorCode == jetstream.JSErrCodeStreamNotFound
}

// guard is the goroutine that looks whether the stream lost records, or is gone.
func (s *sessions) guard() {
	tick := time.NewTicker(s.cfg.Check)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.look:
		case <-s.b.closed:
			return
		}
		for s.inspect() && s.pause(s.b.life, nil) == nil {
		}
	}
}

// inspect returns true if it should be called again soon.
func (s *sessions) inspect() (again bool) {
	s.mu.Lock()
	known, life := s.known, s.life
	s.mu.Unlock()
	info, err := s.info(s.b.life)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound) && !s.cfg.Existing:
		s.b.logger.Error("the stream of sessions is gone; it is created again", "stream", s.stream)
		if err := provision(s.b.life, s.js, SessionStream(s.b.space, s.cfg), false); err != nil && !s.b.isClosed() {
			s.b.logger.Error("the stream of sessions cannot be created", "stream", s.stream, "err", err)
			return false
		}
		return true
	case err != nil || !info.leader:
		return false
	}
	s.mu.Lock()
	created := !info.created.Equal(s.created)
	now := time.Now()
	switch {
	case info.last >= known:
		s.known, s.lower = max(s.known, info.last), time.Time{}
	case s.lower.IsZero():
		s.lower = now
	}
	back := !s.lower.IsZero() && now.Sub(s.lower) > believeAfter
	s.mu.Unlock()
	switch {
	case created:
		s.forget(life, info.created, 0)
	case back:
		s.forget(life, time.Time{}, info.last)
	}
	return false
}

// forget takes notice that the store lost records. What is in it up to floor is
// of no use, since newer records may be among the lost ones. created is zero if
// the stream is the same.
func (s *sessions) forget(life uint64, created time.Time, floor uint64) {
	s.mu.Lock()
	if life != s.life {
		s.mu.Unlock()
		return // it is known by now
	}
	s.life++
	if !created.IsZero() {
		s.created = created
	}
	s.known, s.floor, s.lower = floor, floor, time.Time{}
	s.mu.Unlock()
	s.stats.forgotten.Add(1)
	s.b.logger.Error("the store of sessions lost records, or was created anew", "stream", s.stream, "anew", !created.IsZero())
	s.journal.lost(time.Now())
	nudge(s.written)
	s.eachWatch(func(w *ownerWatch) {
		w.forgot.Store(true)
		nudge(w.again)
	})
}

// eachWatch calls f for each watch of owners.
func (s *sessions) eachWatch(f func(*ownerWatch)) {
	s.mu.Lock()
	list := slices.Collect(maps.Keys(s.watches))
	s.mu.Unlock()
	for _, w := range list {
		f(w)
	}
}
