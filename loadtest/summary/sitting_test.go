package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const lines = `{"label":"machine","test":"facts","cpu":"a cpu","cores":2,"repeats":3}
{"label":"floor","test":"write","writer_us_per_msg":5.0}
{"label":"ours","test":"fan1kw1","server_cpu_us_per_delivery":5.5,"deliveries_per_s":100,"p50_ms":1,"p99_ms":2}
{"label":"node","test":"fan1kw1","server_cpu_us_per_delivery":11,"deliveries_per_s":50,"p50_ms":3,"p99_ms":4}
{"label":"ours","test":"fan1k","server_cpu_us_per_delivery":2}
{"label":"node","test":"fan1k","server_cpu_us_per_delivery":8}

{"label":"floor","test":"write","writer_us_per_msg":8.0}
{"label":"ours","test":"fan1kw1","server_cpu_us_per_delivery":8.8}
{"label":"node","test":"fan1kw1","server_cpu_us_per_delivery":44}
{"label":"ours","test":"fan1k","server_cpu_us_per_delivery":3,"error":"time limit"}
{"label":"node","test":"fan1k","server_cpu_us_per_delivery":3}
{"label":"floor","test":"write","writer_us_per_msg":5.0}
{"label":"ours","test":"fan1kw1","server_cpu_us_per_delivery":6}
{"label":"node","test":"fan1kw1","server_cpu_us_per_delivery":12}
{"label":"ours","test":"fan1k","server_cpu_us_per_delivery":4}
{"label":"node","test":"fan1k","server_cpu_us_per_delivery":12}
{"label":"ours","test":"echo","server_cpu_us_per_round_trip":13}
{"label":"node","test":"echo","server_cpu_us_per_round_trip":20}
`

func f(v float64) *float64 { return &v }
func is(v bool) *bool      { return &v }

func TestReport(t *testing.T) {
	t.Parallel()
	s, err := read(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	want := report{
		Ours: "ours", Peer: "node",
		Rows: []row{
			{
				Test: "fan1kw1", Metric: perDelivery,
				Ours: f(6), Peer: f(12), Floor: f(5),
				OfPeer:  f(0.5), // of 0.5, 0.2, 0.5
				OfFloor: f(1.1), // of 1.1, 1.1, 1.2; the ratio of the medians would be 1.2
				Budget:  "≤ 1.18 × floor", Met: is(true),
				OursRate: f(100), PeerRate: f(50), OursP50: f(1), PeerP50: f(3), OursP99: f(2), PeerP99: f(4),
			},
			{
				Test: "fan1k", Metric: perDelivery,
				Ours: f(3), Peer: f(8), OfPeer: f(0.292), // of 0.25 and 0.333: the failed repeat is left out
				Budget: "peer ÷ ours ≥ 3.5", Met: is(false), OursFailed: 1,
			},
			{
				Test: "echo", Metric: perRoundTrip,
				Ours: f(13), Peer: f(20), OfPeer: f(0.65),
				Budget: "≤ 0.6 × peer", Met: is(false),
			},
		},
		FloorMoved: f(0.6), Noisy: true,
	}
	if diff := cmp.Diff(want, s.report("ours", "node")); diff != "" {
		t.Error(diff)
	}
}

func TestReportWithoutPeerOrFloor(t *testing.T) {
	t.Parallel()
	s, err := read(strings.NewReader(`{"label":"ours","test":"idle","rss_per_conn_kb":5.5}` + "\n" + `{"label":"ours","test":"storm","error":"refused"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := report{Ours: "ours", Peer: "node", Rows: []row{
		{Test: "idle", Metric: "rss_per_conn_kb", Ours: f(5.5), Budget: "≤ 6", Met: is(true)},
		{Test: "storm", Metric: "server_cpu_us_per_connect", Budget: "≤ 0.4 × peer", OursFailed: 1},
	}}
	if diff := cmp.Diff(want, s.report("ours", "node")); diff != "" {
		t.Error(diff)
	}
}

// Tests of two nodes have figures of their own, and each pair of servers a
// table of its own tests.
func TestReportTwoNodes(t *testing.T) {
	t.Parallel()
	s, err := read(strings.NewReader(`{"label":"ours","test":"fastlat","deliveries_per_s":400,"node0_p50_ms":0.5,"node1_p50_ms":0.75}
{"label":"ours","test":"fastbus","deliveries_per_s":50000}
{"label":"redis","test":"fastbus","deliveries_per_s":10000}
{"label":"durable","test":"storedbus","deliveries_per_s":10000}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []row{
		{Test: "fastlat", Metric: added, Ours: f(0.25), OursRate: f(400), Budget: "≤ 1", Met: is(true)},
		{Test: "fastbus", Metric: wallDelivery, Ours: f(20), Peer: f(100), OfPeer: f(0.2), OursRate: f(50000), PeerRate: f(10000), Budget: "peer ÷ ours ≥ 3", Met: is(true)},
	}
	if diff := cmp.Diff(want, s.report("ours", "redis").Rows); diff != "" {
		t.Error(diff)
	}
}

func TestRunWritesLineFileAndTable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	table, file := filepath.Join(dir, "table.md"), filepath.Join(dir, "summary.json")
	var out bytes.Buffer
	if err := run([]string{"-markdown", table, "-json", file}, strings.NewReader(lines), &out); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 1 || !json.Valid(out.Bytes()) {
		t.Errorf("stdout is not one line of JSON: %s", out.String())
	}
	md, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| broadcast to 1,000, 1 in flight, µs CPU a delivery | 6.00 | 12.0 | 0.50 | 5.00 | 1.10 | ≤ 1.18 × floor | met |",
		"| fan1kw1 | 100 | 50.0 | 1.00 / 2.00 | 3.00 / 4.00 |",
		"fan1k: 1 runs of ours and 0 of node did not finish their work.",
		"moved by 60 % over the sitting: too noisy to quote.",
		"a cpu, 2 cores",
	} {
		if !strings.Contains(string(md), want) {
			t.Errorf("no %q in:\n%s", want, md)
		}
	}
	if b, err := os.ReadFile(file); err != nil || !json.Valid(b) {
		t.Errorf("summary file: %v %s", err, b)
	}
}

func TestReadNamesTheBadLine(t *testing.T) {
	t.Parallel()
	if _, err := read(strings.NewReader("{}\n{\"label\":\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v, want one that names line 2", err)
	}
}
