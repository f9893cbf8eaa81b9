package natsio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane/subject"
)

// minAPILevel is the JetStream API of nats-server 2.11, which has batched
// direct gets, that holes are filled with.
const minAPILevel = 1

// provisionRetry is the time between attempts while JetStream is not there
// yet, as when its servers elect their leader.
const provisionRetry = 100 * time.Millisecond

// provisionTimeout bounds one question. A stream of three replicas is there
// within a second where nothing is wrong.
const provisionTimeout = 4 * time.Second

var (
	// ErrForeignStream: a stream with our name has a configuration that is not
	// ours, so it cannot be used, or one of another name takes our subjects.
	ErrForeignStream = errors.New("natsio: stream has a foreign configuration")

	// ErrNoRoom: JetStream has not got what the stream asks for, in bytes or in
	// servers.
	ErrNoRoom = errors.New("natsio: JetStream has no room for the stream")

	// ErrServerVersion: the server is too old for the durable class.
	ErrServerVersion = errors.New("natsio: nats-server is too old")

	// ErrNoStream: the stream does not exist, and is not to be created.
	ErrNoStream = errors.New("natsio: no such stream")
)

// LogStream returns the configuration of the stream of one log, as nodes create
// it and as an operator may create it before them.
func LogStream(sp subject.Space, log int, cfg LogConfig) jetstream.StreamConfig {
	cfg = cfg.withDefaults()
	sc := jetstream.StreamConfig{
		Name:        sp.LogStream(log),
		Description: "siod: durable events, in the order in which every node delivers them",
		Subjects:    []string{sp.IngestLog(log)},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      cfg.Window + dedupe,
		MaxBytes:    cfg.MaxBytes,
		Duplicates:  dedupe,
		Storage:     jetstream.FileStorage,
		Replicas:    cfg.Replicas,
		AllowDirect: true,
		RePublish:   &jetstream.RePublish{Source: sp.IngestLog(log), Destination: sp.Feed(log)},
	}
	if cfg.Memory {
		sc.Storage = jetstream.MemoryStorage
	}
	return sc
}

// provision has the stream of a log be there. It waits for JetStream until ctx
// ends.
func provision(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, existing bool) error {
	if err := checkServer(ctx, js); err != nil {
		return err
	}
	for {
		// One question may be lost to a leader that dies. It is asked again.
		once, cancel := context.WithTimeout(ctx, provisionTimeout)
		got, err := find(once, js, want, existing)
		cancel()
		if err == nil {
			return same(want, got)
		}
		if errors.Is(err, ErrNoStream) || errors.Is(err, ErrForeignStream) || errors.Is(err, ErrNoRoom) || !transient(err) {
			return err
		}
		select {
		case <-time.After(provisionRetry):
		case <-ctx.Done():
			return fmt.Errorf("natsio: stream %s: %w (last answer: %w)", want.Name, ctx.Err(), err)
		}
	}
}

// find returns the configuration of the stream, which it creates if it may.
func find(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, existing bool) (jetstream.StreamConfig, error) {
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && existing {
		return want, fmt.Errorf("%w: %s: create it first, or let the node create it", ErrNoStream, want.Name)
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = js.Stream(ctx, want.Name) // another node was quicker
		}
	}
	if err != nil {
		return want, refusal(ctx, js, want, err)
	}
	return s.CachedInfo().Config, nil
}

// Error codes of JetStream that nats.go has no names for.
const (
	codeNoPeers      = 10005 // not enough servers with room for it
	codeNoMemory     = 10028
	codeNoStorage    = 10047
	codeOverlap      = 10065
	codeNotClustered = 10074 // one server alone keeps one replica
)

// refusal says what to do about an error, if that is known.
func refusal(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, err error) error {
	api, _ := errors.AsType[*jetstream.APIError](err)
	if api == nil || isOffline(api) {
		return fmt.Errorf("natsio: stream %s: %w", want.Name, err)
	}
	switch api.ErrorCode {
	case codeOverlap:
		return fmt.Errorf("%w: %s takes subjects of %s (%s): change its subjects, or use another cluster name: %w",
			ErrForeignStream, overlapping(ctx, js, want), want.Name, strings.Join(want.Subjects, ", "), err)
	case codeNoMemory, codeNoStorage:
		return fmt.Errorf("%w: %s may take up to %d MiB of %v: give JetStream more, or make the stream with a smaller max_bytes: %w",
			ErrNoRoom, want.Name, want.MaxBytes>>20, want.Storage, err)
	case codeNoPeers, codeNotClustered:
		return fmt.Errorf("%w: %s wants %d servers with %d MiB of %v each: start as many, or ask for fewer: %w",
			ErrNoRoom, want.Name, want.Replicas, want.MaxBytes>>20, want.Storage, err)
	}
	return fmt.Errorf("natsio: stream %s: %w", want.Name, err)
}

// isOffline reports whether a server that is to keep a stream is only away for
// the moment, as when several start at the same time.
func isOffline(api *jetstream.APIError) bool {
	return api.ErrorCode == codeNoPeers && strings.Contains(api.Description, "offline")
}

// overlapping names the streams that take subjects of another.
func overlapping(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) string {
	var names []string
	for _, subj := range want.Subjects {
		list := js.StreamNames(ctx, jetstream.WithStreamListSubject(subj))
		for name := range list.Name() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return "another stream"
	}
	return strings.Join(names, ", ")
}

// checkServer waits for JetStream and returns an error if it is too old.
func checkServer(ctx context.Context, js jetstream.JetStream) error {
	for {
		once, cancel := context.WithTimeout(ctx, provisionTimeout)
		info, err := js.AccountInfo(once)
		cancel()
		switch {
		case err == nil && info.API.Level < minAPILevel:
			return fmt.Errorf("%w: its JetStream API has level %d, durable events need %d (nats-server 2.11)", ErrServerVersion, info.API.Level, minAPILevel)
		case err == nil:
			return nil
		case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), !transient(err):
			return fmt.Errorf("natsio: JetStream: %w", err)
		}
		select {
		case <-time.After(provisionRetry):
		case <-ctx.Done():
			return fmt.Errorf("natsio: JetStream: %w (last answer: %w)", ctx.Err(), err)
		}
	}
}

// transient reports whether an error may go away by itself: JetStream is not
// there, has no leader yet, or was not heard in time.
func transient(err error) bool {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api):
		return api.Code == 503 || api.Code == 500 || isOffline(api)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, jetstream.ErrJetStreamNotEnabled),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrDisconnected):
		return true
	}
	return false
}

// same returns an error wrapping ErrForeignStream if the stream that exists
// does not do what a log has to. Limits may differ: they are an operator's to
// choose.
func same(want, got jetstream.StreamConfig) error {
	name := got.Name
	differs := func(what string, want, got any) error {
		return fmt.Errorf("%w: %s: %s is %v and has to be %v: delete the stream, or use another cluster name", ErrForeignStream, name, what, got, want)
	}
	switch {
	case !slices.Equal(got.Subjects, want.Subjects):
		return differs("subjects", want.Subjects, got.Subjects)
	case got.RePublish == nil || *got.RePublish != *want.RePublish:
		return differs("republish", *want.RePublish, got.RePublish)
	case want.AllowRollup && (!got.AllowRollup || got.DenyPurge):
		return differs("allow_rollup_hdrs", true, false)
	case !got.AllowDirect:
		return differs("allow_direct", true, false)
	case got.Retention != want.Retention:
		return differs("retention", want.Retention, got.Retention)
	case got.Discard != want.Discard:
		return differs("discard", want.Discard, got.Discard)
	case got.Duplicates < want.Duplicates:
		return differs("duplicate_window", want.Duplicates, got.Duplicates)
	case got.MaxMsgsPerSubject > 0:
		return differs("max_msgs_per_subject", "unlimited", got.MaxMsgsPerSubject)
	case got.MaxAge > 0 && got.MaxAge < want.MaxAge:
		return differs("max_age", want.MaxAge, got.MaxAge)
	case got.Mirror != nil:
		return differs("mirror", "none", got.Mirror.Name)
	}
	return nil
}
