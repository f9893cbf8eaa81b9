package metrics

import (
	"slices"
	"strconv"

	"github.com/siod-io/siod/transport"
)

// metric is one row.
type metric struct {
	Name   string
	Type   string
	Help   string
	Labels []string
	read   func(in *input, emit func(v float64, labels ...string))
}

const (
	counter = "counter"
	gauge   = "gauge"
)

// count is a counter without labels.
func count(name, help string, value func(in *input) uint64) metric {
	return metric{name, counter, help, nil, func(in *input, emit func(float64, ...string)) { emit(float64(value(in))) }}
}

// number is a gauge without labels.
func number(name, help string, value func(in *input) int) metric {
	return metric{name, gauge, help, nil, func(in *input, emit func(float64, ...string)) { emit(float64(value(in))) }}
}

// byLabel is a counter with one label, whose values come from a closed set that
// Stats has.
func byLabel[K comparable](name, label, help string, text func(K) string, values func(in *input) map[K]uint64) metric {
	return metric{name, counter, help, []string{label}, func(in *input, emit func(float64, ...string)) {
		for k, n := range values(in) {
			emit(float64(n), text(k))
		}
	}}
}

func same(s string) string { return s }

// table is every metric, in the order of the documentation.
var table = slices.Concat(ofServer, ofCluster)

// ofServer are those of a server and its clients.
var ofServer = []metric{
	{"siod_build_info", gauge, "Always 1; the labels say which build runs.", []string{"version", "revision", "goversion"},
		func(in *input, emit func(float64, ...string)) {
			emit(1, in.opts.Build.Version, in.opts.Build.Revision, in.opts.Build.Go)
		}},
	{"siod_draining", gauge, "1 from the moment the server begins to shut down, else 0.", nil,
		func(in *input, emit func(float64, ...string)) {
			v := 0.0
			if in.opts.Draining() {
				v = 1
			}
			emit(v)
		}},
	{"siod_config_reloads_total", counter, "Times that the configuration was read again.", []string{"result"},
		func(in *input, emit func(float64, ...string)) {
			ok, failed := in.opts.Reloads()
			emit(float64(ok), "ok")
			emit(float64(failed), "failed")
		}},

	number("siod_connections", "Open Engine.IO sessions.", func(in *input) int { return in.Transport.Sessions }),
	byLabel("siod_connections_opened_total", "transport", "Sessions opened, by the transport of the handshake.", same,
		func(in *input) map[string]uint64 { return in.Transport.Opened }),
	byLabel("siod_connections_closed_total", "reason", "Sessions ended, and why.", func(r transport.Reason) string { return string(r) },
		func(in *input) map[transport.Reason]uint64 { return in.Transport.Closed }),
	byLabel("siod_handshake_errors_total", "code", "Requests refused before they reached a session, by the protocol's code.",
		func(c transport.Code) string { return strconv.Itoa(int(c)) },
		func(in *input) map[transport.Code]uint64 { return in.Transport.Refused }),
	count("siod_upgrades_total", "Sessions that moved from polling to WebSocket.", func(in *input) uint64 { return in.Transport.Upgrades }),
	count("siod_admission_rejected_total", "Handshakes answered 503: too many sessions, too many of one address, or shutting down.", func(in *input) uint64 { return in.Transport.RefusedFull }),
	byLabel("siod_websocket_violations_total", "rule", "Connections closed for breaking a rule of the WebSocket protocol.", same,
		func(in *input) map[string]uint64 { return in.Transport.Violations }),
	count("siod_bodies_too_large_total", "Requests refused for a body over max_payload.", func(in *input) uint64 { return in.Transport.BodiesTooLarge }),
	count("siod_packets_received_total", "Engine.IO packets received.", func(in *input) uint64 { return in.Transport.PacketsReceived }),
	count("siod_bytes_received_total", "Bytes of these.", func(in *input) uint64 { return in.Transport.BytesReceived }),

	count("siod_messages_throttled_total", "Messages of clients held back by event_rate.", func(in *input) uint64 { return in.Transport.Throttled }),

	count("siod_writes_total", "Write system calls to clients.", func(in *input) uint64 { return in.Transport.Writes }),
	count("siod_bytes_sent_total", "Bytes written to clients in WebSocket frames and answers to polls, HTTP headers and handshakes over WebSocket left out.", func(in *input) uint64 { return in.Transport.BytesSent }),
	count("siod_messages_delivered_total", "Messages written to a session or queued for it, one for each session that a broadcast reaches.", func(in *input) uint64 { return in.Transport.Delivered }),
	number("siod_shard_inbox_depth", "Broadcasts that wait for a writer.", func(in *input) int { return in.Transport.InboxDepth }),
	number("siod_send_queue_depth", "Messages that wait for clients that read slowly, or poll.", func(in *input) int { return in.Transport.Queued }),
	number("siod_send_queue_bytes", "Bytes of these.", func(in *input) int { return in.Transport.QueuedBytes }),
	count("siod_volatile_dropped_total", "Volatile messages dropped because they would have had to wait.", func(in *input) uint64 { return in.Transport.VolatileDropped }),
	count("siod_queue_dropped_total", "Messages dropped from full queues by the policy drop-oldest.", func(in *input) uint64 { return in.Transport.OldestDropped }),
	count("siod_conflated_total", "Waiting messages replaced by a newer one of the same key.", func(in *input) uint64 { return in.Transport.Conflated }),
	count("siod_slow_consumers_total", "Sessions ended because their queue was full, by the policy disconnect.", func(in *input) uint64 { return in.Transport.SlowConsumers }),

	count("siod_messages_unsent_total", "Messages still queued when their session ended.", func(in *input) uint64 { return in.Transport.Unsent }),

	{"siod_sockets", gauge, "Connected sockets, one for each namespace that a session is in.", []string{"namespace"}, (*input).sockets},
	count("siod_socket_connects_total", "Sockets let into a namespace.", func(in *input) uint64 { return in.Connects }),
	count("siod_socket_disconnects_total", "Sockets that ended.", func(in *input) uint64 { return in.Disconnects }),
	count("siod_connect_errors_total", "Sockets refused by a namespace.", func(in *input) uint64 { return in.ConnectErrors }),
	count("siod_connect_timeouts_total", "Connections closed because they entered no namespace in time.", func(in *input) uint64 { return in.ConnectTimeouts }),
	count("siod_namespaces_refused_total", "Namespaces not created because there were max_dynamic_namespaces.", func(in *input) uint64 { return in.NamespacesRefused }),
	count("siod_events_received_total", "Events received from clients.", func(in *input) uint64 { return in.Events }),
	count("siod_events_unhandled_total", "Events without a handler.", func(in *input) uint64 { return in.Unhandled }),
	count("siod_event_errors_total", "Events whose handler failed.", func(in *input) uint64 { return in.HandlerErrors }),
	count("siod_event_panics_total", "Events whose handler panicked.", func(in *input) uint64 { return in.Panics }),
	count("siod_transport_panics_total", "Sessions closed because the code that handles them panicked.", func(in *input) uint64 { return in.Transport.HandlerPanics }),
	count("siod_packets_malformed_total", "Connections closed for a packet that could not be decoded.", func(in *input) uint64 { return in.Malformed }),
	count("siod_acks_unknown_total", "Acknowledgements that nobody waited for.", func(in *input) uint64 { return in.UnknownAcks }),
	count("siod_mailbox_overflows_total", "Connections closed because more events waited than may.", func(in *input) uint64 { return in.MailboxOverflows }),
	count("siod_mailbox_pauses_total", "Times that reading from a connection paused because its events waited for their handlers.", func(in *input) uint64 { return in.Pauses }),
	count("siod_broadcasts_total", "Broadcasts made on this node that are not durable.", func(in *input) uint64 { return in.Broadcasts }),

	{"siod_recovery_total", counter, "Clients that asked for recovery of their connection: recovered, or let in anew and why.", []string{"result"},
		func(in *input, emit func(float64, ...string)) {
			emit(float64(in.Recovered), "recovered")
			for reason, n := range in.NotRecovered {
				emit(float64(n), reason)
			}
		}},
	count("siod_recovery_replays_lost_total", "Recovered connections closed again because what they had missed had gone meanwhile.", func(in *input) uint64 { return in.ReplaysLost }),
	count("siod_recovery_sessions_expired_total", "Sessions whose clients did not come back within recovery.window.", func(in *input) uint64 { return in.SessionsExpired }),
	count("siod_recovery_sessions_fenced_total", "Sessions that another node took while it could not reach this one.", func(in *input) uint64 { return in.Fenced }),
	count("siod_recovery_not_journaled_total", "Changes of sessions made before they could be stored: a node's sudden end would lose them.", func(in *input) uint64 { return in.NotJournaled }),
	count("siod_degraded_emits_total", "Durable emits that were delivered at once and not stored, since the log took no writes (recovery.log_down).", func(in *input) uint64 { return in.Degraded }),
	number("siod_recovery_sessions", "Sessions that clients can continue here.", func(in *input) int { return in.Sessions }),
	number("siod_recovery_sessions_waiting", "Of these, those whose clients are away.", func(in *input) int { return in.SessionsWaiting }),
	number("siod_recovery_events", "Past events kept for clients that recover.", func(in *input) int { return in.RingEntries }),
	number("siod_recovery_bytes", "Bytes of these.", func(in *input) int { return in.RingBytes }),
	count("siod_backplane_lost_total", "Deliveries of other nodes that are known to be lost.", func(in *input) uint64 { return in.BackplaneLost }),
	count("siod_backplane_subscriptions_failed_total", "Rooms that fast broadcasts of other nodes do not reach.", func(in *input) uint64 { return in.SubscriptionsFailed }),
	count("siod_backplane_envelopes_forged_total", "What came from elsewhere and nobody may send there, and was dropped: operations where only events belong, events of another namespace.", func(in *input) uint64 { return in.EnvelopesForged }),
	count("siod_backplane_envelopes_unknown_total", "Envelopes of other nodes of a kind that this version does not know.", func(in *input) uint64 { return in.EnvelopesUnknown }),
	count("siod_server_events_dropped_total", "Events between servers dropped because too many waited.", func(in *input) uint64 { return in.ServerEventsDropped }),
	count("siod_backplane_loss_unknown_total", "Times that deliveries may have been lost and could not be counted.", func(in *input) uint64 { return in.BackplaneUnknown }),
}
