package natsio

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

// LogConfig sets the durable class: its logs and their streams in JetStream.
type LogConfig struct {
	// Count is the number of logs, over which namespaces are spread. It is
	// fixed when the cluster is created. Zero means 1.
	Count int

	// Replicas is the number of servers that store each log, 1 or 3. Zero means
	// 1.
	Replicas int

	// Memory keeps logs in memory: quicker, and gone with the servers.
	Memory bool

	// Window is how long entries are kept for clients that come back; the
	// stream adds 2 minutes, the time in which a publication may be tried
	// again. Zero means 2 minutes.
	Window time.Duration

	// MaxBytes bounds each log; the oldest entries go first. Zero means 1 GiB.
	MaxBytes int64

	// Existing says that the streams are there and must not be created or
	// changed, as where the node's user has no right to.
	Existing bool

	// Nodes returns the number of nodes that tail the logs, which all ask the
	// same leader for its last sequence. Nil means 1.
	Nodes func() int

	// Reads returns the latest version of the wire form that a node of the
	// cluster reads. An entry of such a version is an event that this node's
	// sessions miss, and they are told; one of a later version is nobody's. Nil
	// means wire.Version.
	Reads func() int

	// Largest returns the largest limits of any node of the cluster. An entry
	// that is over this node's and not over these is such an event, too. Nil
	// means Config.Limits.
	Largest func() backplane.Limits

	Waiting      int           // appends of this node that may wait. Zero means 10,000
	WaitingBytes int           // bytes of them. Zero means 64 MiB
	GiveUp       time.Duration // how long an append is tried, from its first try. Zero means 20 s, the most is 1 min
	Pipeline     int           // appends under way at once. Zero means 512
	Feed         int           // entries received and not yet looked at. Zero means 65,536
	Hold         int           // entries held until those before them come. Zero means 10,000
	HoldBytes    int           // bytes of them. Zero means 16 MiB
}

const (
	// dedupe is how long a stream recognises a publication that is tried again
	// (R23). Tries end long before it (V16).
	dedupe = 2 * time.Minute

	maxGiveUp = time.Minute
	maxLogs   = 64
)

func (c LogConfig) withDefaults() LogConfig {
	c.Count = cmp.Or(c.Count, 1)
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.Window = cmp.Or(c.Window, 2*time.Minute)
	c.MaxBytes = cmp.Or(c.MaxBytes, 1<<30)
	c.Waiting = cmp.Or(c.Waiting, 10_000)
	c.WaitingBytes = cmp.Or(c.WaitingBytes, 64<<20)
	c.GiveUp = cmp.Or(c.GiveUp, 20*time.Second)
	c.Pipeline = cmp.Or(c.Pipeline, 512)
	c.Feed = cmp.Or(c.Feed, 1<<16)
	c.Hold = cmp.Or(c.Hold, 10_000)
	c.HoldBytes = cmp.Or(c.HoldBytes, 16<<20)
	if c.Nodes == nil {
		c.Nodes = func() int { return 1 }
	}
	if c.Reads == nil {
		c.Reads = func() int { return wire.Version }
	}
	return c
}

// Validate reports all fields that cannot be used.
func (c LogConfig) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("natsio: "+format, args...))
		}
	}
	c = c.withDefaults()
	check(c.Count >= 1 && c.Count <= maxLogs, "Log.Count is %d; it has to be 1 to %d", c.Count, maxLogs)
	check(c.Replicas == 1 || c.Replicas == 3, "Log.Replicas is %d; it has to be 1 or 3, since two lose their majority with either", c.Replicas)
	check(c.Window >= time.Second, "Log.Window is %v; it has to be at least 1s", c.Window)
	check(c.MaxBytes >= 1<<20, "Log.MaxBytes is %d; it has to be at least 1 MiB", c.MaxBytes)
	check(c.GiveUp > 0 && c.GiveUp <= maxGiveUp, "Log.GiveUp is %v; it has to be at most %v, well inside the time in which the log recognises a repeated publication", c.GiveUp, maxGiveUp)
	for _, f := range []struct {
		name  string
		value int
	}{
		{"Waiting", c.Waiting}, {"WaitingBytes", c.WaitingBytes}, {"Pipeline", c.Pipeline},
		{"Feed", c.Feed}, {"Hold", c.Hold}, {"HoldBytes", c.HoldBytes},
	} {
		check(f.value > 0, "Log.%s is %d; it has to be positive", f.name, f.value)
	}
	return errors.Join(errs...)
}
