package natsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio/internal/feed"
)

const (
	fetchBatch  = 256     // entries of one request to any replica
	fetchBytes  = 4 << 20 // bytes of one
	fetchSingle = 32      // entries asked of the leader, one by one
)

// info asks the leader about the log. Only it answers this question, unless it
// is a leader no more and does not know yet, or the server that answers for it.
func (l *eventLog) info(ctx context.Context, deleted bool) (feed.Info, error) {
	var req []byte
	if deleted {
		req = []byte(`{"deleted_details":true}`)
	}
	m, err := l.b.log.nc.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+l.stream, req)
	if err != nil {
		return feed.Info{}, err
	}
	var resp struct {
		jetstream.StreamInfo
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &resp); err != nil {
		return feed.Info{}, err
	}
	if resp.Error != nil {
		return feed.Info{}, resp.Error
	}
	st := resp.State
	in := feed.Info{
		Created: resp.Created.UnixNano(),
		First:   st.FirstSeq,
		Last:    st.LastSeq,
		Leader:  resp.Cluster == nil || resp.Cluster.Leader != "",
		Deleted: st.Deleted,
	}
	if st.LastSeq > 0 && !st.LastTime.IsZero() {
		in.LastStored = st.LastTime.UnixNano()
	}
	return in, nil
}

// fetchAny asks any replica for entries, at least one at or above from if it
// has any.
func (l *eventLog) fetchAny(ctx context.Context, from, upTo uint64) ([]feed.Item[raw], error) {
	batch := min(upTo-from+2, fetchBatch) // one more, to see what follows
	req, err := json.Marshal(struct {
		Seq      uint64 `json:"seq"`
		Batch    uint64 `json:"batch"`
		MaxBytes int    `json:"max_bytes"`
	}{from, batch, fetchBytes})
	if err != nil {
		return nil, err
	}
	nc := l.b.log.nc
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest("$JS.API.DIRECT.GET."+l.stream, inbox, req); err != nil {
		return nil, err
	}
	var items []feed.Item[raw]
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, err
		}
		status := ""
		if ofServer(m, headerSeq) == "" { // no entry: those may say anything
			status = m.Header.Get("Status")
		}
		switch status {
		case "":
		case "204": // the end of the batch
			return items, nil
		case "404":
			return nil, nil
		default:
			return nil, fmt.Errorf("%w: status %s %s", errNoAnswer, status, m.Header.Get("Description"))
		}
		it, ok := item(m)
		if !ok {
			return nil, fmt.Errorf("%w: an entry without sequence", errNoAnswer)
		}
		// Each names the one before it, so one that was lost on the way is noticed.
		if before, err := strconv.ParseUint(ofServer(m, "Nats-Last-Sequence"), 10, 64); err == nil && len(items) > 0 && before != items[len(items)-1].Seq {
			return items, nil
		}
		if items = append(items, it); len(items) == int(batch) {
			return items, nil
		}
	}
}

// fetchLeader asks the leader itself, as fetchAny does any replica.
func (l *eventLog) fetchLeader(ctx context.Context, from, upTo uint64) ([]feed.Item[raw], error) {
	var items []feed.Item[raw]
	for next := from; len(items) < fetchSingle; {
		it, err := l.fetchNext(ctx, next)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			return items, nil
		case err != nil && len(items) > 0:
			return items, nil
		case err != nil:
			return nil, err
		}
		items = append(items, it)
		if next = it.Seq + 1; next > upTo+1 {
			break
		}
	}
	return items, nil
}

// fetchNext asks the leader for the first entry at or above a sequence.
func (l *eventLog) fetchNext(ctx context.Context, seq uint64) (feed.Item[raw], error) {
	var it feed.Item[raw]
	req := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":">"}`, seq)
	m, err := l.b.log.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+l.stream, req)
	if err != nil {
		return it, err
	}
	var resp struct {
		Message *struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &resp); err != nil {
		return it, err
	}
	switch {
	case resp.Error != nil && resp.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return it, jetstream.ErrMsgNotFound
	case resp.Error != nil:
		return it, resp.Error
	case resp.Message == nil:
		return it, errNoAnswer
	}
	return feed.Item[raw]{
		Seq:    resp.Message.Seq,
		Stored: resp.Message.Time.UnixNano(),
		Size:   len(resp.Message.Data),
		Value:  raw{resp.Message.Subject, resp.Message.Data},
	}, nil
}

// Read implements backplane.Log. Entries that cannot be read are left out, as
// they are from the feed; behind one of a later version it begins anew.
func (l *eventLog) Read(ctx context.Context, after, upTo uint64) iter.Seq2[backplane.Entry, error] {
	return func(yield func(backplane.Entry, error) bool) {
		fail := func(err error) { yield(backplane.Entry{}, err) }
		if l.b.isClosed() {
			fail(backplane.ErrClosed)
			return
		}
		info, err := l.askInfo(ctx, min(upTo, l.Status().Position.Seq))
		if err != nil {
			fail(err)
			return
		}
		upTo := min(upTo, info.Last)
		if after >= upTo {
			return
		}
		if info.First > after+1 {
			fail(&backplane.TrimmedError{First: info.First})
			return
		}
		for next := after + 1; next <= upTo; {
			items, err := l.read(ctx, next, upTo)
			if err != nil {
				fail(err)
				return
			}
			if len(items) == 0 {
				next++ // it was deleted
			}
			for _, it := range items {
				if it.Seq > upTo {
					return
				}
				next = it.Seq + 1
				e, err := l.entry(it, info.Created)
				switch {
				case err == nil && !yield(e, nil):
					return
				case err != nil && l.othersRead(it.Value, err):
					fail(&backplane.TrimmedError{First: next})
					return
				}
			}
		}
	}
}

// askInfo asks until the leader answers, one that knows of the entry at last.
func (l *eventLog) askInfo(ctx context.Context, last uint64) (feed.Info, error) {
	for {
		once, cancel := context.WithTimeout(ctx, askTimeout)
		info, err := l.info(once, false)
		cancel()
		if err == nil && info.Leader && info.Last >= last {
			return info, nil
		}
		if err := l.pause(ctx, err); err != nil {
			return info, err
		}
	}
}

// read fetches entries from one on, from any replica that has it, else from the
// leader. It returns none if that one was deleted.
//
// Errors: *backplane.TrimmedError if it has expired meanwhile, and those of pause.
func (l *eventLog) read(ctx context.Context, from, upTo uint64) ([]feed.Item[raw], error) {
	begins := func(items []feed.Item[raw]) bool { return len(items) > 0 && items[0].Seq == from }
	for {
		once, cancel := context.WithTimeout(ctx, askTimeout)
		items, err := l.fetchAny(once, from, upTo)
		if err == nil && !begins(items) {
			items, err = l.fetchLeader(once, from, upTo)
		}
		if err == nil && !begins(items) {
			items, err = nil, l.deleted(once, from)
		}
		cancel()
		if err == nil {
			return items, nil
		}
		if trimmed, ok := errors.AsType[*backplane.TrimmedError](err); ok {
			return nil, trimmed
		}
		if err := l.pause(ctx, err); err != nil {
			return nil, err
		}
	}
}

// deleted is nil if an entry was deleted. That it is not found proves nothing:
// who answers may be behind, or lead no more, or have just begun to (V2).
func (l *eventLog) deleted(ctx context.Context, seq uint64) error {
	info, err := l.info(ctx, true)
	switch {
	case err != nil:
		return err
	case info.Leader && info.First > seq:
		return &backplane.TrimmedError{First: info.First}
	case info.Leader && info.Last >= seq && slices.Contains(info.Deleted, seq):
		return nil
	}
	return errBehind
}

// pause waits before another try. It returns an error if there is no point in
// one.
func (l *eventLog) pause(ctx context.Context, last error) error {
	select {
	case <-time.After(retryAfter):
		return nil
	case <-l.b.closed:
		return backplane.ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("%w: %w (last answer: %w)", backplane.ErrLogDown, ctx.Err(), last)
	}
}

// entry reads an entry, with the tag that it has in the log created then.
func (l *eventLog) entry(it feed.Item[raw], created int64) (backplane.Entry, error) {
	env, err := l.open(it.Value, l.b.cfg.Limits)
	if err != nil {
		return backplane.Entry{}, err
	}
	return backplane.Entry{
		Position: backplane.Position{Seq: it.Seq, Tag: backplane.NewTag(when(created), it.Seq, when(it.Stored))},
		Stored:   when(it.Stored),
		Envelope: env,
	}, nil
}

// locate finds the position of an append that is stored, on a node that does not
// tail. A log that does not answer is asked again as long as the append may take;
// then the tag is not known.
func (l *eventLog) locate(p *appending) backplane.Position {
	for {
		ctx, cancel := l.b.within(askTimeout)
		pos := l.stat(ctx, p.seq)
		cancel()
		if pos.Tag != (backplane.Tag{}) || time.Now().After(p.giveUp) {
			return pos
		}
		select {
		case <-time.After(locateAgain):
		case <-l.b.life.Done():
			return pos
		}
	}
}

// locateAgain is the wait between two such questions.
const locateAgain = 100 * time.Millisecond

// stat finds the position of an entry that this node did not apply.
func (l *eventLog) stat(ctx context.Context, seq uint64) backplane.Position {
	pos := backplane.Position{Seq: seq}
	info, err := l.info(ctx, false)
	if err != nil {
		return pos
	}
	it, err := l.fetchNext(ctx, seq)
	if err != nil || it.Seq != seq {
		return pos
	}
	pos.Tag = backplane.NewTag(when(info.Created), seq, when(it.Stored))
	return pos
}
