package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	natsd "github.com/nats-io/nats-server/v2/server"
)

const (
	stepPoll = 25 * time.Millisecond
	stepAsk  = 500 * time.Millisecond // for the answer of the one who leads the stores
	stepPeer = 5 * time.Second        // for how long a peer that was heard counts as there

	// For how long a lead that came back is kept, which doubles each time.
	stepKeep, stepKeepMost = time.Second, 4 * time.Second
)

// StepDown gives up the lead of the streams that this server leads and of the
// set of stores, and returns when others lead them: before a graceful
// [Server.Shutdown], so that durable events wait 0.2 s instead of an election.
// It does nothing on a server that leads nothing, or keeps the only store.
//
// Errors: [ErrAlone] if no other store node is there, and that of ctx, wrapped,
// while none took over. The server can be shut down all the same.
func (s *Server) StepDown(ctx context.Context) error {
	if !s.keepsStore() || s.cfg.Store == 1 {
		return nil
	}
	tick := time.NewTicker(stepPoll)
	defer tick.Stop()
	var pace stepPace
	for {
		led, err := s.leads()
		if err != nil {
			return fmt.Errorf("embedded: step down %s: %w", s.cfg.Name, err)
		}
		if !led.any() {
			return nil
		}
		if led.alone {
			return fmt.Errorf("embedded: step down %s: %w", s.cfg.Name, ErrAlone)
		}
		if pace.due(led.own, time.Now()) {
			err = s.giveUp(ctx, led)
		}
		select {
		case <-tick.C:
		case <-s.life.Done():
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("embedded: step down %s: no other store node took over: %w",
				s.cfg.Name, errors.Join(ctx.Err(), err))
		}
	}
}

// stepPace says when to give up. The first time is at once. Each time stores an
// entry, and whoever has not got it cannot be elected: a lead that comes back for
// that reason has to be kept until the others have caught up, or it comes back
// for ever.
type stepPace struct {
	since time.Time     // of the lead; zero: nothing is led
	keep  time.Duration // for how long it is kept
}

// due is to be asked again and again.
func (p *stepPace) due(own bool, now time.Time) bool {
	switch {
	case !own:
		p.since = time.Time{}
		return false
	case p.since.IsZero():
		p.since = now
	}
	if now.Sub(p.since) < p.keep {
		return false
	}
	p.since = now
	p.keep = min(max(stepKeep, 2*p.keep), stepKeepMost)
	return true
}

// lead is what a server leads, or what nobody leads just now.
type lead struct {
	own       bool // it leads something itself
	meta      bool
	alone     bool // no other store node was heard lately
	streams   []string
	consumers [][2]string // stream and consumer
}

func (l lead) any() bool { return l.meta || len(l.streams)+len(l.consumers) > 0 }

// leads returns what this server leads and replicates. What has no leader at
// the moment counts as well: nobody took over yet.
func (s *Server) leads() (l lead, err error) {
	info, err := s.ns.Jsz(nil)
	if err != nil {
		return l, err
	}
	if m := info.Meta; m != nil && (m.Leader == s.cfg.Name || m.Leader == "") {
		l.meta = true
		l.own = m.Leader == s.cfg.Name
		l.alone = !slices.ContainsFunc(m.Replicas, func(p *natsd.PeerInfo) bool {
			return !p.Offline && p.Active < stepPeer
		})
	}
	detail, err := s.ns.JszAccount(&natsd.JSzOptions{Account: account, Streams: true, Consumer: true, Config: true})
	if err != nil {
		return l, err
	}
	for _, st := range detail.Streams {
		if st.Config == nil || st.Config.Replicas < 2 {
			continue
		}
		if s.leaderless(st.Cluster) {
			l.streams = append(l.streams, st.Name)
			l.own = l.own || s.leadsGroup(st.Cluster)
		}
		for _, c := range st.Consumer {
			if c.Cluster != nil && len(c.Cluster.Replicas) > 0 && s.leaderless(c.Cluster) {
				l.consumers = append(l.consumers, [2]string{st.Name, c.Name})
				l.own = l.own || s.leadsGroup(c.Cluster)
			}
		}
	}
	return l, nil
}

// leaderless reports whether no other server leads a group.
func (s *Server) leaderless(c *natsd.ClusterInfo) bool {
	return c == nil || c.Leader == "" || c.Leader == s.cfg.Name
}

func (s *Server) leadsGroup(c *natsd.ClusterInfo) bool { return c != nil && c.Leader == s.cfg.Name }

// giveUp steps down from everything. What this server does not lead, it leaves
// alone.
func (s *Server) giveUp(ctx context.Context, l lead) error {
	var errs []error
	for _, c := range l.consumers {
		errs = append(errs, s.ns.JetStreamStepdownConsumer(account, c[0], c[1]))
	}
	for _, name := range l.streams {
		errs = append(errs, s.ns.JetStreamStepdownStream(account, name))
	}
	if l.meta && s.ns.JetStreamIsLeader() {
		errs = append(errs, s.giveUpMeta(ctx))
	}
	return errors.Join(errs...)
}

// giveUpMeta steps down from the lead of the set of stores. Only the system
// account may ask for that.
func (s *Server) giveUpMeta(ctx context.Context) error {
	nc, err := s.connectSystem()
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(ctx, stepAsk)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, natsd.JSApiLeaderStepDown, nil)
	if err != nil {
		return err
	}
	var answer natsd.JSApiLeaderStepDownResponse
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return answer.Error
	}
	return nil
}
