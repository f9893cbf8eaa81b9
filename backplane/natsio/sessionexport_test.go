package natsio

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// StepDown has another server lead the store of sessions.
func StepDown(ctx context.Context, b *Backplane) error {
	// One question may be lost to a leader that steps down.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := b.log.nc.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+b.space.SessionStream(), nil)
	return err
}

// Leader returns the name of the server that leads the store of sessions.
func Leader(ctx context.Context, b *Backplane) (string, error) {
	for {
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		m, err := b.log.nc.RequestWithContext(once, "$JS.API.STREAM.INFO."+b.space.SessionStream(), nil)
		cancel()
		if err == nil {
			var info jetstream.StreamInfo
			if err := json.Unmarshal(m.Data, &info); err != nil {
				return "", err
			}
			if info.Cluster != nil && info.Cluster.Leader != "" {
				return info.Cluster.Leader, nil
			}
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
}

// LoseSessions has a node believe that the store lost its newest records.
func LoseSessions(b *Backplane) {
	s := b.sessions.Load()
	s.mu.Lock()
	life, known := s.life, s.known
	s.mu.Unlock()
	s.forget(life, time.Time{}, known)
}
