package metrics

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// gather scrapes a collector of its own registry.
func gather(t *testing.T, c prometheus.Collector) []*dto.MetricFamily {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func text(t *testing.T, families []*dto.MetricFamily) string {
	t.Helper()
	var b strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// fill gives every counter a value that no other has, and remembers what it
// belongs to. Maps get two keys.
func fill(v reflect.Value, path string, next *int, values map[int]string) {
	take := func(path string) int {
		*next++
		values[*next] = path
		return *next
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), path+"."+v.Type().Field(i).Name, next, values)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range 2 {
			key := reflect.New(v.Type().Key()).Elem()
			if key.Kind() == reflect.String {
				key.SetString(fmt.Sprintf("/key%d", i))
			} else {
				key.SetInt(int64(i))
			}
			n := take(fmt.Sprintf("%s[%v]", path, key))
			v.SetMapIndex(key, reflect.ValueOf(n).Convert(v.Type().Elem()))
		}
	default:
		v.Set(reflect.ValueOf(take(path)).Convert(v.Type()))
	}
}

// Every counter of a server is shown, and none twice.
func TestEveryCounterIsShown(t *testing.T) {
	t.Parallel()
	var st node.Stats
	next, values := 1000, map[int]string{}
	fill(reflect.ValueOf(&st).Elem(), "Stats", &next, values)
	shown := map[int]string{}
	for _, f := range gather(t, New(func() node.Stats { return st }, Options{Namespaces: []string{"/key0"}})) {
		for _, m := range f.Metric {
			v := int(m.GetCounter().GetValue() + m.GetGauge().GetValue())
			if values[v] == "" {
				continue
			}
			if shown[v] != "" {
				t.Errorf("%s is shown by %s and by %s", values[v], shown[v], f.GetName())
			}
			shown[v] = f.GetName()
		}
	}
	for v, path := range values {
		if shown[v] == "" {
			t.Errorf("%s is not shown by any metric", path)
		}
	}
}

// The rules of Prometheus for names and help texts.
func TestLint(t *testing.T) {
	t.Parallel()
	families := gather(t, New(func() node.Stats { return sample }, Options{Namespaces: []string{"/"}}))
	problems, err := promlint.New(strings.NewReader(text(t, families))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "siod_") {
			t.Errorf("%s does not begin with siod_", f.GetName())
		}
		if !strings.HasSuffix(f.GetHelp(), ".") {
			t.Errorf("%s: help %q is not a sentence", f.GetName(), f.GetHelp())
		}
	}
}

var sample = node.Stats{
	Transport: transport.Stats{
		Sessions: 3, Opened: map[string]uint64{"polling": 1, "websocket": 4}, Closed: map[transport.Reason]uint64{transport.ReasonPingTimeout: 2},
		Refused: map[transport.Code]uint64{transport.CodeForbidden: 5}, Violations: map[string]uint64{"bad opcode": 1},
	},
	Sockets: map[string]int{"/": 2, "/chat": 7, "/made-up": 9}, Recovered: 6, NotRecovered: map[string]uint64{"trimmed": 1},
}

func TestLabels(t *testing.T) {
	t.Parallel()
	got := text(t, gather(t, New(func() node.Stats { return sample }, Options{
		Namespaces: []string{"/", "/chat", "/empty"}, Build: Build{"v1", "abc", "go1"},
		Draining: func() bool { return true }, Reloads: func() (uint64, uint64) { return 4, 2 },
	})))
	for _, want := range []string{
		`siod_build_info{goversion="go1",revision="abc",version="v1"} 1`,
		`siod_config_reloads_total{result="failed"} 2`,
		`siod_config_reloads_total{result="ok"} 4`,
		`siod_connections 3`,
		`siod_connections_closed_total{reason="ping timeout"} 2`,
		`siod_connections_opened_total{transport="websocket"} 4`,
		`siod_draining 1`,
		`siod_handshake_errors_total{code="4"} 5`,
		`siod_recovery_total{result="recovered"} 6`,
		`siod_recovery_total{result="trimmed"} 1`,
		`siod_sockets{namespace="/"} 2`,
		`siod_sockets{namespace="/chat"} 7`,
		`siod_sockets{namespace="/empty"} 0`,
		`siod_sockets{namespace="other"} 9`,
		`siod_websocket_violations_total{rule="bad opcode"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no line %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "made-up") {
		t.Error("a namespace that the operator did not name is a label")
	}
}

// The page lists what is shown: names, types, help and labels.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	const name = "../../docs/metrics.md"
	got := Markdown()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/metrics.md is not what the table says; run go test ./internal/metrics -run TestDocumentation -update\n%s", diff)
	}
	for _, f := range gather(t, New(func() node.Stats { return sample }, Options{Namespaces: []string{"/"}})) {
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		i := slices.IndexFunc(table, func(m metric) bool { return m.Name == f.GetName() })
		if i < 0 {
			t.Fatalf("%s is not in the table", f.GetName())
		}
		documented := slices.Sorted(slices.Values(table[i].Labels))
		for j := range documented {
			documented[j] = "`" + documented[j] + "`"
		}
		if diff := cmp.Diff(documented, labels); diff != "" && len(documented)+len(labels) > 0 {
			t.Errorf("%s: labels -documented +shown:\n%s", f.GetName(), diff)
		}
		line := fmt.Sprintf("| `%s` | %s |", f.GetName(), strings.ToLower(f.GetType().String()))
		if !strings.Contains(got, line) {
			t.Errorf("no line %q in the page", line)
		}
	}
}
