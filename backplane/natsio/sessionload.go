package natsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane"
)

// Bounds of one request of a scan: all of a large journal, so that one replica
// answers, which nobody writes to meanwhile.
const (
	scanBatch = 16_384
	scanBytes = 16 << 20

	scanTimeout = 3 * time.Second // a way through the sessions of one home
)

// Load implements backplane.Sessions. It reads the journal of the home from any
// replica, and what was stored when it began is certainly in it. The states
// of the records are parts of larger messages.
func (s *sessions) Load(ctx context.Context, home string) iter.Seq2[backplane.SessionRecord, error] {
	return func(yield func(backplane.SessionRecord, error) bool) {
		records, err := s.load(ctx, home)
		if err != nil {
			yield(backplane.SessionRecord{}, err)
			return
		}
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *sessions) load(ctx context.Context, home string) (map[string]backplane.SessionRecord, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	journal := s.b.space.JournalOf(home)
	// Nothing is written for homes that clients made up.
	if _, err := s.first(ctx, journal); errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var records map[string]backplane.SessionRecord
	var newest uint64
	scan := scan{
		of:   journal,
		mark: s.b.space.Journal(home, "mark"),
		begin: func() {
			records, newest = make(map[string]backplane.SessionRecord), 0
		},
		take: func(m *nats.Msg, seq uint64) {
			err := readJournal(m.Data, s.b.cfg.Limits, func(from string, number uint64) bool {
				// A try of a message that took a long way may be stored after
				// newer ones.
				ok := from == home && number > newest
				newest = max(newest, number)
				return ok
			}, func(r backplane.SessionRecord) {
				if r.State == nil {
					delete(records, r.PID)
				} else {
					records[r.PID] = r
				}
			})
			if err != nil {
				s.malformed(seq, err)
			}
		},
	}
	_, err := s.scan(ctx, scan)
	return records, err
}

// malformed counts a message that cannot be read.
func (s *sessions) malformed(seq uint64, err error) {
	if s.stats.malformed.Add(1) == 1 {
		s.b.logger.Warn("the store of sessions holds a message that cannot be read", "stream", s.stream, "seq", seq, "err", err)
	}
}

// scan is a way through what is stored on some subjects.
type scan struct {
	of    string                          // subjects to read
	mark  string                          // one of them, which holds nothing else
	begin func()                          // called first, and again when the scan begins anew
	take  func(msg *nats.Msg, seq uint64) // called for each in the order of the stream
}

// scan reads what is stored, from any replica. To be sure that it misses
// nothing, it stores a mark first, and reads until it sees it: whoever has the
// mark has all before it. It returns where the mark is.
func (s *sessions) scan(ctx context.Context, sc scan) (upTo uint64, err error) {
	for {
		// A cycle after a session ended, nothing of it is left to be read, so one
		// way through must not take as long. Nor need it: what takes longer has
		// lost an answer.
		once, stop := context.WithTimeout(ctx, min(max(s.cfg.cycle()/2, time.Second), scanTimeout))
		upTo, err = s.scanOnce(once, sc)
		stop()
		if err == nil {
			return upTo, nil
		}
		if absent(err) {
			nudge(s.look)
		}
		if err := s.pause(ctx, err); err != nil {
			return 0, err
		}
	}
}

var errBehind = errors.New("natsio: the server that answered is behind")

func (s *sessions) scanOnce(ctx context.Context, sc scan) (uint64, error) {
	upTo, _, _, err := s.put(ctx, &nats.Msg{Subject: sc.mark, Header: nats.Header{headerRollup: rollupSubject}})
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	next := s.floor + 1
	s.mu.Unlock()
	sc.begin()
	for next <= upTo {
		last, err := s.scanBatch(ctx, sc, next)
		if err != nil {
			return 0, err
		}
		next = last + 1
	}
	return upTo, nil
}

// scanBatch reads some, from a sequence on, and returns that of the last one.
func (s *sessions) scanBatch(ctx context.Context, sc scan, from uint64) (last uint64, err error) {
	req, err := json.Marshal(struct {
		Seq      uint64 `json:"seq"`
		Next     string `json:"next_by_subj"`
		Batch    int    `json:"batch"`
		MaxBytes int    `json:"max_bytes"`
	}{from, sc.of, scanBatch, scanBytes})
	if err != nil {
		return 0, err
	}
	nc := s.b.log.nc
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest("$JS.API.DIRECT.GET."+s.stream, inbox, req); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return 0, err
		}
		// Each message, and the end, names the one before it, so one that was
		// lost on the way is noticed.
		before, _ := strconv.ParseUint(m.Header.Get("Nats-Last-Sequence"), 10, 64)
		switch status := m.Header.Get("Status"); {
		case status == "404":
			return 0, errBehind // it should have the mark at least
		case status != "" && status != "204":
			return 0, fmt.Errorf("%w: status %s %s", errNoAnswer, status, m.Header.Get("Description"))
		case before != last:
			return 0, fmt.Errorf("%w: %d follows %d", errNoAnswer, before, last)
		case status == "204" && last == 0:
			return 0, errBehind
		case status == "204":
			return last, nil
		}
		seq, err := strconv.ParseUint(m.Header.Get(headerSeq), 10, 64)
		if err != nil || seq < from {
			return 0, fmt.Errorf("%w: a message without sequence", errNoAnswer)
		}
		last = seq
		if m.Header.Get("Nats-Subject") != sc.mark {
			sc.take(m, seq)
		}
	}
}

// first asks the leader for the oldest message on some subjects.
//
// Errors: jetstream.ErrMsgNotFound; others when ctx ends.
func (s *sessions) first(ctx context.Context, subjects string) (stored, error) {
	return s.ask(ctx, fmt.Appendf(nil, `{"seq":1,"next_by_subj":%q}`, subjects))
}

// newest asks the leader for the newest message on a subject.
func (s *sessions) newest(ctx context.Context, subject string) (stored, error) {
	return s.ask(ctx, fmt.Appendf(nil, `{"last_by_subj":%q}`, subject))
}

// stored is a message of the stream.
type stored struct {
	Seq  uint64 `json:"seq"`
	Data []byte `json:"data"`
}

// ask asks the leader for a message until it answers.
func (s *sessions) ask(ctx context.Context, req []byte) (stored, error) {
	for {
		if err := s.ended(ctx, nil); err != nil {
			return stored{}, err
		}
		if !s.b.log.up.Load() {
			return stored{}, backplane.ErrDisconnected
		}
		m, err := s.askOnce(ctx, req)
		if err == nil || errors.Is(err, jetstream.ErrMsgNotFound) {
			return m, err
		}
		if absent(err) {
			nudge(s.look)
		}
		if err := s.pause(ctx, err); err != nil {
			return stored{}, err
		}
	}
}

func (s *sessions) askOnce(ctx context.Context, req []byte) (stored, error) {
	once, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	m, err := s.b.log.nc.RequestWithContext(once, "$JS.API.STREAM.MSG.GET."+s.stream, req)
	if err != nil {
		return stored{}, err
	}
	var resp struct {
		Message *stored             `json:"message"`
		Error   *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &resp); err != nil {
		return stored{}, err
	}
	switch {
	case resp.Error != nil && resp.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return stored{}, jetstream.ErrMsgNotFound
	case resp.Error != nil:
		return stored{}, resp.Error
	case resp.Message == nil:
		return stored{}, errNoAnswer
	}
	return *resp.Message, nil
}
