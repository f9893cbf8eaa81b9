package natsio

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane/subject"
)

// SessionConfig sets the store of session journals and owners, a stream in
// JetStream. All nodes of a cluster have the same.
type SessionConfig struct {
	// Window is how long after the kill of its home a session can be recovered.
	// Records live twice as long, since the newest one of a session may be half
	// a window old. Zero means 2 minutes.
	Window time.Duration

	// Replicas is the number of servers that store the records, 1 or 3. Zero
	// means 1.
	Replicas int

	// File keeps the records on disk. In memory, which is quicker, they are
	// gone with the servers, and sessions of the nodes that live are written
	// again.
	File bool

	// MaxBytes bounds the store. When it is full nothing more is stored until
	// something expired: an old record must not go before the newer one that
	// replaces it. Zero means 1 GiB.
	MaxBytes int64

	// Existing says that the stream is there and must not be created or
	// changed, as where the node's user has no right to.
	Existing bool

	// Batch is the time between two publications of a node while they are small:
	// what is recorded meanwhile goes into the next one. After a pause the first
	// ones do not wait. Zero means 5 ms.
	Batch time.Duration

	// BatchBytes is when a publication is full. Zero means 256 KiB; it is half
	// of what the server takes at most.
	BatchBytes int

	// Waiting is the number of Record calls that may wait for the store. Zero
	// means 65,536.
	Waiting int

	// Check is the time between two looks at whether the store was created
	// anew. Zero means 5 s.
	Check time.Duration
}

func (c SessionConfig) withDefaults() SessionConfig {
	c.Window = cmp.Or(c.Window, 2*time.Minute)
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.MaxBytes = cmp.Or(c.MaxBytes, 1<<30)
	c.Batch = cmp.Or(c.Batch, 5*time.Millisecond)
	c.BatchBytes = cmp.Or(c.BatchBytes, 256<<10)
	c.Waiting = cmp.Or(c.Waiting, 65_536)
	c.Check = cmp.Or(c.Check, 5*time.Second)
	return c
}

// cycle is how long a node takes to write its whole journal again, at least.
func (c SessionConfig) cycle() time.Duration { return c.Window / 3 }

// maxAge is how long a record lives. A session that does not change is written
// again within 1.5 cycles.
func (c SessionConfig) maxAge() time.Duration { return 2 * c.Window }

// Validate reports all fields that cannot be used.
func (c SessionConfig) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("natsio: "+format, args...))
		}
	}
	c = c.withDefaults()
	check(c.Window >= time.Second, "Sessions.Window is %v; it has to be at least 1s", c.Window)
	check(c.Replicas == 1 || c.Replicas == 3, "Sessions.Replicas is %d; it has to be 1 or 3, since two lose their majority with either", c.Replicas)
	check(c.MaxBytes >= 1<<20, "Sessions.MaxBytes is %d; it has to be at least 1 MiB", c.MaxBytes)
	check(c.Batch > 0 && c.Batch <= 100*time.Millisecond, "Sessions.Batch is %v; it has to be at most 100ms, since changes of sessions wait for it", c.Batch)
	check(c.BatchBytes >= 1<<10, "Sessions.BatchBytes is %d; it has to be at least 1 KiB", c.BatchBytes)
	check(c.Waiting > 0, "Sessions.Waiting is %d; it has to be positive", c.Waiting)
	check(c.Check > 0, "Sessions.Check is %v; it has to be positive", c.Check)
	return errors.Join(errs...)
}

// SessionStream returns the configuration of the stream of journals and owners,
// as nodes create it and as an operator may create it before them.
//
// Both kinds are in one stream, so that they are lost together (V5). What is
// stored of owners is given out again on subjects of its own, since what is
// published may be refused.
func SessionStream(sp subject.Space, cfg SessionConfig) jetstream.StreamConfig {
	cfg = cfg.withDefaults()
	sc := jetstream.StreamConfig{
		Name:        sp.SessionStream(),
		Description: "siod: what other nodes need to recover the sessions of a killed one",
		Subjects:    []string{sp.Journals(), sp.Owners()},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxAge:      cfg.maxAge(),
		MaxBytes:    cfg.MaxBytes,
		Duplicates:  min(dedupe, cfg.maxAge()),
		Storage:     jetstream.MemoryStorage,
		Replicas:    cfg.Replicas,
		AllowDirect: true,
		AllowRollup: true,
		RePublish:   &jetstream.RePublish{Source: all(sp.Owners()), Destination: all(sp.AllOwned())},
	}
	if cfg.File {
		sc.Storage = jetstream.FileStorage
	}
	return sc
}

// all matches one token or more where the subject has one.
func all(subject string) string { return strings.TrimSuffix(subject, "*") + ">" }
