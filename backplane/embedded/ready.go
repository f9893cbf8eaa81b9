package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane/subject"
)

const (
	readyPoll    = 50 * time.Millisecond
	readyTimeout = 500 * time.Millisecond // of one question
)

// StoreReady waits until the store nodes have a leader that answers this server
// and, if it is one of them, until it is up to date with the set of streams. That
// a server takes connections says nothing about it. Start does so on a store
// node; any other node starts without, since fast traffic needs no store.
//
// Errors: [ErrNotReady], wrapped with the last answer, when ctx ends; [ErrStores]
// if the cluster has no store.
func (s *Server) StoreReady(ctx context.Context) error {
	if s.cfg.Store == 0 {
		return fmt.Errorf("%w: this one has none", ErrStores)
	}
	nc, err := s.connect("ready", Node)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		last := s.askStore(ctx, js)
		if last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.life.Done():
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%w: %w: %w", ErrNotReady, ctx.Err(), last)
		}
	}
}

// askStore asks once.
func (s *Server) askStore(ctx context.Context, js jetstream.JetStream) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	_, err := js.AccountInfo(ctx)
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return errors.New("no store node is reached")
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("the store nodes have no leader")
	case err != nil:
		return fmt.Errorf("the store nodes answer: %w", err)
	case s.keepsStore() && !s.ns.JetStreamIsCurrent():
		return errors.New("this server is behind the leader")
	}
	return nil
}

// connectTimeout is for a server in this very process, which answers at once
// unless the machine is busy.
const connectTimeout = 20 * time.Second

// connect makes a short connection within the process.
func (s *Server) connect(what string, role Role) (*nats.Conn, error) {
	return s.dial(what, nats.UserInfo(s.Credentials(role)))
}

// connectSystem makes one to the system account.
func (s *Server) connectSystem() (*nats.Conn, error) {
	return s.dial("system", nats.UserInfo(systemUser, s.systemPassword))
}

func (s *Server) dial(what string, user nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect("", user, nats.InProcessServer(s), nats.Name("siod "+what),
		nats.NoReconnect(), nats.Timeout(connectTimeout), nats.CustomInboxPrefix(subject.Inbox(what)))
	if err != nil {
		return nil, fmt.Errorf("embedded: connect to %s within the process: %w", s.cfg.Name, err)
	}
	return nc, nil
}
