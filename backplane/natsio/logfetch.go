package natsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio/internal/feed"
	"github.com/siod-io/siod/backplane/wire"
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
func (l *eventLog) fetchAny(ctx context.Context, from, upTo uint64) ([]feed.Item[[]byte], error) {
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
	var items []feed.Item[[]byte]
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, err
		}
		switch status := m.Header.Get("Status"); status {
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
		if before, err := strconv.ParseUint(m.Header.Get("Nats-Last-Sequence"), 10, 64); err == nil && len(items) > 0 && before != items[len(items)-1].Seq {
			return items, nil
		}
		if items = append(items, it); len(items) == int(batch) {
			return items, nil
		}
	}
}

// fetchLeader asks the leader itself, as fetchAny does any replica.
func (l *eventLog) fetchLeader(ctx context.Context, from, upTo uint64) ([]feed.Item[[]byte], error) {
	var items []feed.Item[[]byte]
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
func (l *eventLog) fetchNext(ctx context.Context, seq uint64) (feed.Item[[]byte], error) {
	var it feed.Item[[]byte]
	req := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":">"}`, seq)
	m, err := l.b.log.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+l.stream, req)
	if err != nil {
		return it, err
	}
	var resp struct {
		Message *struct {
			Seq  uint64    `json:"seq"`
			Data []byte    `json:"data"`
			Time time.Time `json:"time"`
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
	return feed.Item[[]byte]{
		Seq:    resp.Message.Seq,
		Stored: resp.Message.Time.UnixNano(),
		Size:   len(resp.Message.Data),
		Value:  resp.Message.Data,
	}, nil
}

// Read implements backplane.Log. Entries that cannot be read are left out, as
// they are from the feed.
func (l *eventLog) Read(ctx context.Context, after, upTo uint64) iter.Seq2[backplane.Entry, error] {
	return func(yield func(backplane.Entry, error) bool) {
		fail := func(err error) { yield(backplane.Entry{}, err) }
		if l.b.isClosed() {
			fail(backplane.ErrClosed)
			return
		}
		info, err := l.askInfo(ctx)
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
				return // the rest was deleted
			}
			for _, it := range items {
				if it.Seq > upTo {
					return
				}
				next = it.Seq + 1
				if e, ok := l.entry(it, info.Created); ok && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// askInfo asks until the leader answers.
func (l *eventLog) askInfo(ctx context.Context) (feed.Info, error) {
	for {
		once, cancel := context.WithTimeout(ctx, askTimeout)
		info, err := l.info(once, false)
		cancel()
		if err == nil && info.Leader {
			return info, nil
		}
		if err := l.pause(ctx, err); err != nil {
			return info, err
		}
	}
}

// read fetches entries, from any replica that has the first one, else from the
// leader: what is gone there is gone.
func (l *eventLog) read(ctx context.Context, from, upTo uint64) ([]feed.Item[[]byte], error) {
	for {
		once, cancel := context.WithTimeout(ctx, askTimeout)
		items, err := l.fetchAny(once, from, upTo)
		if err == nil && (len(items) == 0 || items[0].Seq != from) {
			items, err = l.fetchLeader(once, from, upTo)
		}
		cancel()
		if err == nil {
			return items, nil
		}
		if err := l.pause(ctx, err); err != nil {
			return nil, err
		}
	}
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
func (l *eventLog) entry(it feed.Item[[]byte], created int64) (backplane.Entry, bool) {
	m, err := wire.Decode(it.Value, l.b.cfg.Limits)
	if err != nil {
		return backplane.Entry{}, false
	}
	return backplane.Entry{
		Position: backplane.Position{Seq: it.Seq, Tag: backplane.NewTag(when(created), it.Seq, when(it.Stored))},
		Stored:   when(it.Stored),
		Envelope: &m.Envelope,
	}, true
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
