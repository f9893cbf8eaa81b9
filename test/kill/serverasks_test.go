package kill

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/node"
)

// requests are what a server asks all others at once.
type requests struct {
	all     sync.WaitGroup
	pending atomic.Int64

	mu    sync.Mutex
	kinds map[string]*outcomes
}

// outcomes are what became of the requests of one kind.
type outcomes struct {
	Ended   int
	Last    time.Time      // when the last one ended
	Answers int            // of all of them
	Whole   int            // requests that everybody answered
	Named   map[string]int // requests that name one server as failed, by its id and the reason
	Other   []string       // errors of another kind
}

// eachKind is the number of requests of one kind that begin together.
const eachKind = 100

// kindsOfRequests have to be answered by every server, and return what was.
var kindsOfRequests = map[string]func(context.Context, *node.Namespace) (answers int, err error){
	"broadcast with acknowledgements": func(ctx context.Context, ns *node.Namespace) (n int, err error) {
		for _, e := range ns.To().EmitWithAck(ctx, "question") {
			if e != nil {
				err = e
			} else {
				n++
			}
		}
		return n, err
	},
	"FetchSockets": func(ctx context.Context, ns *node.Namespace) (n int, err error) {
		for _, e := range ns.To().FetchSockets(ctx) {
			if e != nil {
				err = e
			} else {
				n++
			}
		}
		return n, err
	},
	"ServerSideCollect": func(ctx context.Context, ns *node.Namespace) (int, error) {
		answers, err := ns.ServerSideCollect(ctx, "question")
		return len(answers), err
	},
}

// begin makes a hundred requests of each kind, none of which ends for want of
// time while the test lasts.
func (s *server) begin() {
	r := &s.requests
	for kind, ask := range kindsOfRequests {
		for range eachKind {
			r.pending.Add(1)
			r.all.Go(func() {
				defer r.pending.Add(-1)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				answers, err := ask(ctx, s.srv.Of("/"))
				r.note(kind, answers, err)
			})
		}
	}
}

func (r *requests) note(kind string, answers int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kinds == nil {
		r.kinds = make(map[string]*outcomes)
	}
	o := r.kinds[kind]
	if o == nil {
		o = &outcomes{Named: make(map[string]int)}
		r.kinds[kind] = o
	}
	o.Ended++
	o.Last = time.Now()
	o.Answers += answers
	p, partial := errors.AsType[*node.PartialError](err)
	switch {
	case err == nil:
		o.Whole++
	case partial && len(p.FailedNodes) == 1 && p.Err == nil:
		o.Named[p.FailedNodes[0].Node+" "+p.FailedNodes[0].Reason]++
	default:
		o.Other = append(o.Other, err.Error())
	}
}

// take returns what became of all requests since the last call.
func (r *requests) take() map[string]*outcomes {
	r.mu.Lock()
	defer r.mu.Unlock()
	kinds := r.kinds
	r.kinds = nil
	return kinds
}
