// Package metrics turns the counters of a server into Prometheus metrics.
//
// It stands beside the commands, above package node, whose Stats it reads when
// a scrape asks; nothing is counted twice and nothing is registered globally.
//
//	reg := prometheus.NewRegistry()
//	reg.MustRegister(metrics.New(srv.Stats, metrics.Options{Namespaces: []string{"/"}}))
//	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
//
// Labels come from closed sets: transports, error codes, reasons, and the
// namespaces that the operator named; all other namespaces are "other". Names
// of rooms, events, users and ids never become labels, so no client can add a
// series.
//
// A metric is one row of the table in table.go. Tests compare the table with
// docs/metrics.md (go test ./internal/metrics -run TestDocumentation -update),
// and fail if a counter of node.Stats is not exported.
//
// A Collector is safe for concurrent use and starts no goroutines.
package metrics
