package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// what each test does, for a reader of the table.
var titles = map[string]string{
	"fan1kw1":  "broadcast to 1,000, 1 in flight, µs CPU a delivery",
	"fan1k":    "broadcast to 1,000, 4 in flight, µs CPU a delivery",
	"fan1kw16": "broadcast to 1,000, 16 in flight, µs CPU a delivery",
	"open1k":   "broadcast to 1,000, 10 a second, µs CPU a delivery",
	"fan5k":    "broadcast to 5,000, 2 in flight, µs CPU a delivery",
	"echo":     "ack round trip, 100 connections, µs CPU",
	"poll":     "polling round trip, 50 clients, µs CPU",
	"storm":    "connect + CONNECT + join, µs CPU",
	"idle":     "idle session, KB of resident memory",
	"idleraw":  "the same, collector left alone 4 s after 5,000 connects",

	"fast1k":     "two nodes, broadcast to 1,000, 4 in flight, µs CPU of all processes a delivery",
	"fastopen":   "two nodes, broadcast to 1,000, 10 a second, µs CPU of all processes a delivery",
	"fastlat":    "two nodes, 200 broadcasts a second, added p50 at the other node, ms",
	"fastbus":    "two nodes, one client each, 64 in flight, µs a delivery",
	"stored1k":   "two nodes, stored broadcast to 1,000, 4 in flight, µs CPU of all processes a delivery",
	"storedopen": "two nodes, stored broadcast to 1,000, 10 a second, µs CPU of all processes a delivery",
	"storedlat":  "two nodes, 200 stored broadcasts a second, added p50 at the other node, ms",
	"storedbus":  "two nodes, one client each, 64 stored broadcasts in flight, µs a delivery",
}

func (r report) markdown(facts map[string]any) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "| what | %s | %s | %s ÷ %s | floor | %s ÷ floor | budget | |\n|---|---|---|---|---|---|---|---|\n",
		r.Ours, r.Peer, r.Ours, r.Peer, r.Ours)
	for _, w := range r.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", titles[w.Test],
			figure(w.Ours), figure(w.Peer), figure(w.OfPeer), figure(w.Floor), figure(w.OfFloor), w.Budget, verdict(w.Met))
	}
	fmt.Fprintf(&b, "\n| wall clock, same runs | %s a second | %s a second | %s p50 / p99 ms | %s p50 / p99 ms |\n|---|---|---|---|---|\n",
		r.Ours, r.Peer, r.Ours, r.Peer)
	for _, w := range r.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s / %s | %s / %s |\n", w.Test,
			figure(w.OursRate), figure(w.PeerRate), figure(w.OursP50), figure(w.OursP99), figure(w.PeerP50), figure(w.PeerP99))
	}
	b.WriteString("\n")
	for _, w := range r.Rows {
		if w.OursFailed+w.PeerFailed > 0 {
			fmt.Fprintf(&b, "%s: %d runs of %s and %d of %s did not finish their work.\n\n", w.Test, w.OursFailed, r.Ours, w.PeerFailed, r.Peer)
		}
	}
	if r.FloorMoved != nil {
		fmt.Fprintf(&b, "The floor moved by %.0f %% over the sitting", *r.FloorMoved*100)
		if r.Noisy {
			b.WriteString(": too noisy to quote")
		}
		b.WriteString(".\n")
	}
	if len(facts) > 0 {
		fmt.Fprintf(&b, "\n%v, %v cores, Linux %v, %v, Node %v, commit %v, %v, load average %v at the start, %v repeats: `%v`.\n",
			facts["cpu"], facts["cores"], facts["kernel"], facts["go"], facts["node"], facts["commit"], facts["date"], facts["load"], facts["repeats"], facts["command"])
	}
	return b.Bytes()
}

// figure prints three digits that mean something.
func figure(v *float64) string {
	switch {
	case v == nil:
		return "–"
	case *v >= 1000:
		return strconv.FormatFloat(*v, 'f', 0, 64)
	case *v >= 100:
		return strconv.FormatFloat(*v, 'f', 0, 64)
	case *v >= 10:
		return strconv.FormatFloat(*v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(*v, 'f', 2, 64)
	}
}

func verdict(met *bool) string {
	switch {
	case met == nil:
		return ""
	case *met:
		return "met"
	default:
		return "missed"
	}
}
