package metrics

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siod-io/siod/internal/cluster"
	"github.com/siod-io/siod/node"
)

// Options of a Collector.
type Options struct {
	// Namespaces are the values of the label "namespace"; sockets of every
	// other one count as "other".
	Namespaces []string

	// Build describes the program, for siod_build_info.
	Build Build

	// Draining reports whether the server is going down. Nil means never.
	Draining func() bool

	// Reloads counts the times that the configuration was read again, with and
	// without success. Nil means none.
	Reloads func() (ok, failed uint64)

	// Cluster is this node's place in its cluster, or returns nil if it has
	// none. Nil means none.
	Cluster func() *cluster.Stats
}

// Build says which program runs.
type Build struct {
	Version, Revision, Go string
}

// Collector implements prometheus.Collector.
type Collector struct {
	stats func() node.Stats
	opts  Options
	descs []*prometheus.Desc // parallel to table
}

// New returns a collector that calls stats for each scrape.
func New(stats func() node.Stats, opts Options) *Collector {
	if opts.Draining == nil {
		opts.Draining = func() bool { return false }
	}
	if opts.Reloads == nil {
		opts.Reloads = func() (uint64, uint64) { return 0, 0 }
	}
	if opts.Cluster == nil {
		opts.Cluster = func() *cluster.Stats { return nil }
	}
	c := &Collector{stats: stats, opts: opts}
	for _, m := range table {
		c.descs = append(c.descs, prometheus.NewDesc(m.Name, m.Help, m.Labels, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	in := input{Stats: c.stats(), opts: &c.opts, cluster: c.opts.Cluster()}
	for i, m := range table {
		kind := prometheus.GaugeValue
		if m.Type == counter {
			kind = prometheus.CounterValue
		}
		m.read(&in, func(v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(c.descs[i], kind, v, labels...)
		})
	}
}

// input is what a row reads.
type input struct {
	node.Stats
	opts    *Options
	cluster *cluster.Stats // nil for a server on its own
}

// sockets counts them by the label "namespace".
func (in *input) sockets(emit func(v float64, labels ...string)) {
	other := 0
	for ns, n := range in.Sockets {
		if !slices.Contains(in.opts.Namespaces, ns) {
			other += n
		}
	}
	for _, ns := range in.opts.Namespaces {
		emit(float64(in.Sockets[ns]), ns)
	}
	emit(float64(other), "other")
}

// Markdown is docs/metrics.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(preamble)
	for _, m := range table {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, labels, m.Help)
	}
	return b.String()
}

const preamble = `# Metrics

This page is made from the table in the program.

` + "`/metrics`" + ` on the internal listener serves them in the Prometheus text format, with those of the Go runtime (` + "`go_…`" + `) and of the
process (` + "`process_…`" + `). Counters begin at 0 when the process does.

Those that begin with ` + "`siod_cluster_`, `siod_gossip_`, `siod_nats_`, `siod_log_`, `siod_journal_` and `siod_forward_`" + ` are of a node of a cluster, and left out by a server on its own.

Labels come from closed sets, so clients cannot add series: ` + "`transport`" + ` is polling or websocket; ` + "`code`" + ` is a code of the Engine.IO protocol,
0 to 5; ` + "`reason`" + ` is what the application's disconnect handler is told; ` + "`rule`" + ` is a rule of the WebSocket protocol; ` + "`namespace`" + ` is one that the
configuration names, or other; ` + "`log`" + ` is the number of a log of durable events.

There are no histograms: neither the time of handlers and acknowledgements nor the size of broadcasts is measured. The mean number of messages in one
write is ` + "`siod_messages_delivered_total`" + ` divided by ` + "`siod_writes_total`" + `, where clients keep up. Connections are not told apart by the transport
that they use now, nor by the revision of their protocol.

| metric | type | labels | |
|---|---|---|---|
`
