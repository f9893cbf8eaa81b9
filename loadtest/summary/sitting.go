package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// key is one test of one server.
type key struct{ label, test string }

// sitting is everything that ran, in the order in which it ran.
type sitting struct {
	runs  map[key][]map[string]any
	tests []string // in the order of their first line
	facts map[string]any
}

func read(in io.Reader) (*sitting, error) {
	s := &sitting{runs: map[key][]map[string]any{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var m map[string]any
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		label, _ := m["label"].(string)
		test, _ := m["test"].(string)
		if label == "" || test == "" {
			continue // a summary of another run
		}
		if label == "machine" {
			s.facts = m
			continue
		}
		if label != "floor" && !slices.Contains(s.tests, test) {
			s.tests = append(s.tests, test)
		}
		derive(m)
		s.runs[key{label, test}] = append(s.runs[key{label, test}], m)
	}
	return s, lines.Err()
}

// derive adds figures that follow from others of one run.
func derive(m map[string]any) {
	if v, ok := m["deliveries_per_s"].(float64); ok && v > 0 {
		m[wallDelivery] = 1e6 / v
	}
	// Senders are connected to the first node.
	near, ok := m["node0_p50_ms"].(float64)
	if far, both := m["node1_p50_ms"].(float64); ok && both {
		m[added] = far - near
	}
}

// spec says what a test is judged by.
type spec struct {
	metric string // the figure: less is better
	rate   string // shown beside it
	floor  string // the floor's test that does the same writes
	budget budget
}

// budget is the mark of ARCHITECTURE.md that a test is held to.
type budget struct {
	kind budgetKind
	mark float64
}

type budgetKind int

const (
	none       budgetKind = iota
	timesFloor            // ours ÷ floor at most mark
	partOfPeer            // ours ÷ peer at most mark
	lessThan              // peer ÷ ours at least mark
	absolute              // ours at most mark
)

const (
	perDelivery  = "server_cpu_us_per_delivery"
	perRoundTrip = "server_cpu_us_per_round_trip"
	wallDelivery = "wall_us_per_delivery"
	added        = "added_p50_ms" // by the way to the other node
)

var specs = map[string]spec{
	"fan1kw1":  {perDelivery, "deliveries_per_s", "write", budget{timesFloor, 1.18}},
	"fan1k":    {perDelivery, "deliveries_per_s", "4", budget{lessThan, 3.5}},
	"fan1kw16": {perDelivery, "deliveries_per_s", "16", budget{lessThan, 10}},
	"open1k":   {perDelivery, "deliveries_per_s", "", budget{}},
	"fan5k":    {perDelivery, "deliveries_per_s", "", budget{}},
	"echo":     {perRoundTrip, "round_trips_per_s", "", budget{partOfPeer, 0.6}},
	"poll":     {perRoundTrip, "round_trips_per_s", "", budget{partOfPeer, 0.55}},
	"storm":    {"server_cpu_us_per_connect", "connect_per_s", "", budget{partOfPeer, 0.4}},
	"idle":     {"rss_per_conn_kb", "connect_per_s", "", budget{absolute, 6}},
	"idleraw":  {"rss_per_conn_kb", "connect_per_s", "", budget{}},

	// On two nodes; stored ones go through the log.
	"fast1k":     {perDelivery, "deliveries_per_s", "", budget{lessThan, 2.5}},
	"fastopen":   {perDelivery, "deliveries_per_s", "", budget{}},
	"fastlat":    {added, "deliveries_per_s", "", budget{absolute, 1}},
	"fastbus":    {wallDelivery, "deliveries_per_s", "", budget{lessThan, 3}},
	"stored1k":   {perDelivery, "deliveries_per_s", "", budget{lessThan, 1.5}},
	"storedopen": {perDelivery, "deliveries_per_s", "", budget{}},
	"storedlat":  {added, "deliveries_per_s", "", budget{absolute, 2}},
	"storedbus":  {wallDelivery, "deliveries_per_s", "", budget{}},
}

// row is one test in the summary. Figures that could not be had are nil.
type row struct {
	Test       string   `json:"test"`
	Metric     string   `json:"metric"`
	Ours       *float64 `json:"ours"`
	Peer       *float64 `json:"peer,omitempty"`
	Floor      *float64 `json:"floor,omitempty"`
	OfPeer     *float64 `json:"ours_of_peer,omitempty"`
	OfFloor    *float64 `json:"ours_of_floor,omitempty"`
	OursRate   *float64 `json:"ours_rate,omitempty"`
	PeerRate   *float64 `json:"peer_rate,omitempty"`
	OursP50    *float64 `json:"ours_p50_ms,omitempty"`
	PeerP50    *float64 `json:"peer_p50_ms,omitempty"`
	OursP99    *float64 `json:"ours_p99_ms,omitempty"`
	PeerP99    *float64 `json:"peer_p99_ms,omitempty"`
	Budget     string   `json:"budget,omitempty"`
	Met        *bool    `json:"met,omitempty"`
	OursFailed int      `json:"ours_failed,omitempty"`
	PeerFailed int      `json:"peer_failed,omitempty"`
}

type report struct {
	Ours string `json:"ours"`
	Peer string `json:"peer"`
	Rows []row  `json:"tests"`
	// FloorMoved is how much the highest run of the floor lies above the lowest.
	// Over a fifth, the sitting was too noisy to quote.
	FloorMoved *float64 `json:"floor_moved,omitempty"`
	Noisy      bool     `json:"noisy"`
}

func (s *sitting) report(ours, peer string) report {
	r := report{Ours: ours, Peer: peer}
	for _, test := range s.tests {
		sp, ok := specs[test]
		if !ok {
			continue
		}
		o, p := key{ours, test}, key{peer, test}
		if len(s.runs[o])+len(s.runs[p]) == 0 {
			continue // of other servers
		}
		row := row{
			Test: test, Metric: sp.metric,
			Ours: median(s.values(o, sp.metric)), Peer: median(s.values(p, sp.metric)),
			OfPeer:   median(ratios(s.values(o, sp.metric), s.values(p, sp.metric))),
			OursRate: median(s.values(o, sp.rate)), PeerRate: median(s.values(p, sp.rate)),
			OursP50: median(s.values(o, "p50_ms")), PeerP50: median(s.values(p, "p50_ms")),
			OursP99: median(s.values(o, "p99_ms")), PeerP99: median(s.values(p, "p99_ms")),
			OursFailed: s.failed(o), PeerFailed: s.failed(p),
		}
		if sp.floor != "" {
			floor := s.values(key{"floor", sp.floor}, "writer_us_per_msg")
			row.Floor = median(floor)
			row.OfFloor = median(ratios(s.values(o, sp.metric), floor))
		}
		row.Budget, row.Met = sp.budget.judge(row)
		r.Rows = append(r.Rows, row)
	}
	if floor := present(s.values(key{"floor", "write"}, "writer_us_per_msg")); len(floor) > 1 {
		moved := round(slices.Max(floor)/slices.Min(floor) - 1)
		r.FloorMoved, r.Noisy = &moved, moved > 0.2
	}
	return r
}

func (b budget) judge(r row) (text string, met *bool) {
	verdict := func(of *float64, ok func(float64) bool) *bool {
		if of == nil {
			return nil
		}
		v := ok(*of)
		return &v
	}
	switch b.kind {
	case timesFloor:
		return fmt.Sprintf("≤ %g × floor", b.mark), verdict(r.OfFloor, func(v float64) bool { return v <= b.mark })
	case partOfPeer:
		return fmt.Sprintf("≤ %g × peer", b.mark), verdict(r.OfPeer, func(v float64) bool { return v <= b.mark })
	case lessThan:
		return fmt.Sprintf("peer ÷ ours ≥ %g", b.mark), verdict(r.OfPeer, func(v float64) bool { return 1/v >= b.mark })
	case absolute:
		return fmt.Sprintf("≤ %g", b.mark), verdict(r.Ours, func(v float64) bool { return v <= b.mark })
	}
	return "", nil
}

// values is a figure of each repeat; NaN where a run failed or did not have it.
func (s *sitting) values(k key, metric string) []float64 {
	var out []float64
	for _, m := range s.runs[k] {
		v, ok := m[metric].(float64)
		if _, failed := m["error"]; failed || !ok {
			v = math.NaN()
		}
		out = append(out, v)
	}
	return out
}

func (s *sitting) failed(k key) int {
	n := 0
	for _, m := range s.runs[k] {
		if _, failed := m["error"]; failed {
			n++
		}
	}
	return n
}

// ratios divides repeat by repeat.
func ratios(a, b []float64) []float64 {
	var out []float64
	for i := range min(len(a), len(b)) {
		out = append(out, a[i]/b[i])
	}
	return out
}

func present(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// median of what is there; nil of nothing.
func median(values []float64) *float64 {
	v := present(values)
	if len(v) == 0 {
		return nil
	}
	slices.Sort(v)
	m := v[len(v)/2]
	if len(v)%2 == 0 {
		m = (v[len(v)/2-1] + m) / 2
	}
	m = round(m)
	return &m
}

func round(v float64) float64 { return math.Round(v*1000) / 1000 }
