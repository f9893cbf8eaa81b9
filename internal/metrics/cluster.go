package metrics

import (
	"strconv"

	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/internal/cluster"
	"github.com/siod-io/siod/transport/forward"
)

// The rows of this file show nothing for a server on its own.

// clusterCount is a counter without labels.
func clusterCount(name, help string, value func(c *cluster.Stats) uint64) metric {
	return metric{name, counter, help, nil, func(in *input, emit func(float64, ...string)) {
		if in.cluster != nil {
			emit(float64(value(in.cluster)))
		}
	}}
}

// clusterNumber is a gauge without labels.
func clusterNumber(name, help string, value func(c *cluster.Stats) float64) metric {
	return metric{name, gauge, help, nil, func(in *input, emit func(float64, ...string)) {
		if in.cluster != nil {
			emit(value(in.cluster))
		}
	}}
}

// clusterLabel has one label.
func clusterLabel(name, kind, label, help string, values func(c *cluster.Stats, emit func(v float64, label string))) metric {
	return metric{name, kind, help, []string{label}, func(in *input, emit func(float64, ...string)) {
		if in.cluster != nil {
			values(in.cluster, func(v float64, text string) { emit(v, text) })
		}
	}}
}

// logCount is a counter of each log.
func logCount(name, help string, value func(l *natsio.LogStats) uint64) metric {
	return clusterLabel(name, counter, "log", help, func(c *cluster.Stats, emit func(float64, string)) {
		for i := range c.Logs {
			emit(float64(value(&c.Logs[i])), strconv.Itoa(i))
		}
	})
}

// logNumber is a figure of each log that goes up and down.
func logNumber(name, help string, value func(l *natsio.LogStats) float64) metric {
	return clusterLabel(name, gauge, "log", help, func(c *cluster.Stats, emit func(float64, string)) {
		for i := range c.Logs {
			emit(value(&c.Logs[i]), strconv.Itoa(i))
		}
	})
}

func forwardResults(name, help string, values func(s *forward.Stats) map[forward.Result]uint64) metric {
	return clusterLabel(name, counter, "result", help, func(c *cluster.Stats, emit func(float64, string)) {
		for r, n := range values(&c.Forward) {
			emit(float64(n), string(r))
		}
	})
}

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// ofCluster are those of a node's place among others.
var ofCluster = []metric{
	clusterNumber("siod_cluster_healthy", "1 while messages come back through the backplane, 0 when none did for 10 s.", func(c *cluster.Stats) float64 { return yes(c.Healthy) }),
	clusterLabel("siod_cluster_members", gauge, "state", "Nodes of the cluster, this one included, by their state.", func(c *cluster.Stats, emit func(float64, string)) {
		for state, n := range c.Members {
			emit(float64(n), state)
		}
	}),
	clusterNumber("siod_cluster_strangers", "Nodes heard over NATS for more than 30 s that are no members: another cluster has this one's name, or gossip does not get through.", func(c *cluster.Stats) float64 { return float64(c.Strangers) }),

	clusterNumber("siod_gossip_peers", "Other nodes that gossip with this one.", func(c *cluster.Stats) float64 { return float64(c.Gossip.Members) }),
	clusterNumber("siod_gossip_overload", "0 while this node keeps up with gossip; up to 3 when it answers late.", func(c *cluster.Stats) float64 { return float64(c.Gossip.Overload) }),
	clusterLabel("siod_gossip_joins_total", counter, "result", "Addresses of other nodes that were tried.", func(c *cluster.Stats, emit func(float64, string)) {
		emit(float64(c.Gossip.Joined), "joined")
		emit(float64(c.Gossip.JoinFailures), "failed")
	}),
	clusterLabel("siod_gossip_refused_total", counter, "reason", "What others said and this node did not accept: malformed, a known id at another address, a token or name that is taken, too many connections.", func(c *cluster.Stats, emit func(float64, string)) {
		emit(float64(c.Gossip.Refused), "malformed")
		emit(float64(c.Gossip.Conflicts), "conflict")
		emit(float64(c.Gossip.Duplicates), "duplicate")
		emit(float64(c.Gossip.Streams), "streams")
	}),
	clusterCount("siod_gossip_log_lines_dropped_total", "Lines about gossip left out of the log, over its bound.", func(c *cluster.Stats) uint64 { return c.Gossip.Lines }),

	clusterNumber("siod_nats_connected", "1 while both connections to NATS stand.", func(c *cluster.Stats) float64 { return yes(c.Backplane.Connected) }),
	clusterCount("siod_nats_reconnects_total", "Times that a connection to NATS stood again.", func(c *cluster.Stats) uint64 { return c.Backplane.Reconnects }),
	clusterCount("siod_nats_published_total", "Envelopes handed over to NATS.", func(c *cluster.Stats) uint64 { return c.Backplane.Published }),
	clusterCount("siod_nats_received_total", "Messages of any kind received from NATS.", func(c *cluster.Stats) uint64 { return c.Backplane.Received }),
	clusterCount("siod_nats_delivered_total", "Envelopes of these handed on, once for each subscription.", func(c *cluster.Stats) uint64 { return c.Backplane.Delivered }),
	clusterCount("siod_nats_lost_total", "Deliveries that the senders' counters show to be missing.", func(c *cluster.Stats) uint64 { return c.Backplane.Lost }),
	clusterCount("siod_nats_loss_unknown_total", "Times that messages may be missing and could not be counted.", func(c *cluster.Stats) uint64 { return c.Backplane.Unknown }),
	clusterCount("siod_nats_slow_total", "Times that too many messages waited and some were dropped.", func(c *cluster.Stats) uint64 { return c.Backplane.Slow }),
	clusterLabel("siod_nats_refused_total", counter, "reason", "Messages dropped: not readable or over a limit, of an unknown version, or for another address than they claim.", func(c *cluster.Stats, emit func(float64, string)) {
		emit(float64(c.Backplane.Malformed), "malformed")
		emit(float64(c.Backplane.Versions), "version")
		emit(float64(c.Backplane.Forged), "forged")
	}),
	clusterCount("siod_nats_untallied_total", "Addresses left out of the tallies by which lost ends are found.", func(c *cluster.Stats) uint64 { return c.Backplane.Untallied }),
	clusterNumber("siod_nats_waiting", "Messages that wait for their handlers.", func(c *cluster.Stats) float64 { return float64(c.Backplane.Waiting) }),
	clusterNumber("siod_nats_waiting_bytes", "Bytes of these.", func(c *cluster.Stats) float64 { return float64(c.Backplane.WaitingBytes) }),
	clusterNumber("siod_nats_subscriptions", "Rooms and addresses subscribed, lingering ones included.", func(c *cluster.Stats) float64 { return float64(c.Backplane.Subscriptions) }),
	clusterNumber("siod_nats_subscriptions_lingering", "Of these, those that nobody needs any more and that end soon.", func(c *cluster.Stats) float64 { return float64(c.Backplane.Lingering) }),
	clusterNumber("siod_nats_shards", "Shards subscribed as a whole, since there were too many rooms.", func(c *cluster.Stats) float64 { return float64(c.Backplane.Shards) }),
	clusterNumber("siod_nats_counters", "Addresses whose publications are numbered.", func(c *cluster.Stats) float64 { return float64(c.Backplane.Counters) }),
	clusterNumber("siod_nats_peers", "Other nodes heard over NATS in the last minutes.", func(c *cluster.Stats) float64 { return float64(c.Backplane.Peers) }),
	clusterNumber("siod_nats_requests_pending", "Requests to other nodes that wait.", func(c *cluster.Stats) float64 { return float64(c.Backplane.Calls) }),

	clusterNumber("siod_nats_server_peers", "NATS servers of other nodes that this node's is connected with.", func(c *cluster.Stats) float64 { return float64(c.Server.Peers) }),
	clusterNumber("siod_nats_server_clients", "Connections to this node's NATS server, its own included.", func(c *cluster.Stats) float64 { return float64(c.Server.Clients) }),
	clusterNumber("siod_nats_server_subscriptions", "Subscriptions that it knows of.", func(c *cluster.Stats) float64 { return float64(c.Server.Subscriptions) }),
	clusterCount("siod_nats_server_slow_consumers_total", "Connections that it closed since they did not take what was sent.", func(c *cluster.Stats) uint64 { return uint64(c.Server.SlowConsumers) }),
	clusterCount("siod_nats_server_stale_total", "Connections that it closed since they did not answer.", func(c *cluster.Stats) uint64 { return uint64(c.Server.Stale) }),
	clusterNumber("siod_nats_server_store_led", "1 if this node keeps a store and knows a leader of the store nodes.", func(c *cluster.Stats) float64 { return yes(c.Server.StoreLeader != "") }),
	clusterNumber("siod_nats_server_store_stopped", "1 if this node could not write to its store and stores no more: make room on its disk, then restart it.", func(c *cluster.Stats) float64 { return yes(c.Server.StoreStopped) }),
	clusterNumber("siod_nats_server_store_bytes", "Bytes that it stores, in memory and in files.", func(c *cluster.Stats) float64 { return float64(c.Server.StoreBytes) }),

	logCount("siod_log_applied_total", "Durable events delivered in the order of the log.", func(l *natsio.LogStats) uint64 { return l.Applied }),
	logCount("siod_log_repeated_total", "Of the log, entries that came again and were dropped.", func(l *natsio.LogStats) uint64 { return l.Repeated }),
	logCount("siod_log_filled_total", "Entries that did not come by themselves and were fetched.", func(l *natsio.LogStats) uint64 { return l.Filled }),
	logCount("siod_log_passed_total", "Positions that held no entry any more.", func(l *natsio.LogStats) uint64 { return l.Passed }),
	logCount("siod_log_skipped_total", "Entries that expired before they came: sessions missed them and were told.", func(l *natsio.LogStats) uint64 { return l.Skipped }),
	logCount("siod_log_overflow_total", "Entries that came too early, were not kept, and were fetched later.", func(l *natsio.LogStats) uint64 { return l.Overflow }),
	logCount("siod_log_malformed_total", "Entries that could not be read.", func(l *natsio.LogStats) uint64 { return l.Malformed }),
	logCount("siod_log_unreadable_total", "Entries of a later version, or over this node's limits, that other nodes read: sessions missed them and were told.", func(l *natsio.LogStats) uint64 { return l.Unreadable }),
	logCount("siod_log_rewinds_total", "Times that the log lost entries that had been delivered.", func(l *natsio.LogStats) uint64 { return l.Rewinds }),
	logCount("siod_log_publish_tries_total", "Publications to the log, those tried again included.", func(l *natsio.LogStats) uint64 { return l.Tries }),
	logCount("siod_log_publish_failed_total", "Of these, those refused or not answered.", func(l *natsio.LogStats) uint64 { return l.Failed }),
	logCount("siod_log_publish_duplicates_total", "Of these, those that had been stored already.", func(l *natsio.LogStats) uint64 { return l.Duplicates }),
	logNumber("siod_log_publish_waiting", "Durable events of this node that are not stored yet.", func(l *natsio.LogStats) float64 { return float64(l.Waiting) }),
	logNumber("siod_log_behind", "Durable events that the log is known to have and that this node has not delivered yet.", func(l *natsio.LogStats) float64 { return float64(l.Behind) }),
	logNumber("siod_log_held", "Durable events that came early and wait for those before them.", func(l *natsio.LogStats) float64 { return float64(l.Held) }),

	clusterNumber("siod_journal_sessions", "Sessions that other nodes could go on with if this one were killed.", func(c *cluster.Stats) float64 { return float64(c.Sessions.Sessions) }),
	clusterNumber("siod_journal_waiting", "Changes of sessions that wait to be stored.", func(c *cluster.Stats) float64 { return float64(c.Sessions.Waiting) }),
	clusterCount("siod_journal_records_total", "Records of sessions stored, those of unchanged sessions included.", func(c *cluster.Stats) uint64 { return c.Sessions.Records }),
	clusterCount("siod_journal_repeated_total", "Of these, records stored again before they would have expired.", func(c *cluster.Stats) uint64 { return c.Sessions.Moved }),
	clusterCount("siod_journal_messages_total", "Messages that held these records.", func(c *cluster.Stats) uint64 { return c.Sessions.Messages }),
	clusterCount("siod_journal_bytes_total", "Bytes of these messages.", func(c *cluster.Stats) uint64 { return c.Sessions.Bytes }),
	clusterCount("siod_journal_failed_total", "Publications of records that were refused or not answered.", func(c *cluster.Stats) uint64 { return c.Sessions.Failed }),
	clusterCount("siod_journal_malformed_total", "Messages of the store that could not be read.", func(c *cluster.Stats) uint64 { return c.Sessions.Malformed }),
	clusterCount("siod_journal_forgotten_total", "Times that the store lost its records.", func(c *cluster.Stats) uint64 { return c.Sessions.Forgotten }),

	forwardResults("siod_forward_requests_total", "Requests of clients for sessions of other nodes, and what became of them.", func(s *forward.Stats) map[forward.Result]uint64 { return s.Sent }),
	forwardResults("siod_forward_served_total", "Requests that other nodes passed on to this one, and what became of them.", func(s *forward.Stats) map[forward.Result]uint64 { return s.Served }),
	clusterNumber("siod_forward_pending", "Requests that wait for other nodes.", func(c *cluster.Stats) float64 { return float64(c.Forward.Pending) }),
	clusterNumber("siod_forward_connections", "Connections to other nodes, without those of tunnels.", func(c *cluster.Stats) float64 { return float64(c.Forward.Connections) }),
	clusterCount("siod_forward_dialled_total", "Connections made to other nodes, those of tunnels included.", func(c *cluster.Stats) uint64 { return c.Forward.Dialled }),
	clusterNumber("siod_forward_tunnels", "WebSockets tunnelled to other nodes.", func(c *cluster.Stats) float64 { return float64(c.Forward.Tunnels) }),
}
