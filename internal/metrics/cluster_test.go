package metrics

import (
	"reflect"
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/internal/cluster"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport/forward"
)

// fillCluster is fill for figures that are not all numbers: a flag and a name
// are shown as 1.
func fillCluster(st *cluster.Stats, next *int, values map[int]string) {
	st.Logs = make([]natsio.LogStats, 1)
	st.Healthy, st.Backplane.Connected, st.Server.StoreLeader = true, true, "a"
	st.Members = map[string]int{}
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		case reflect.Slice:
			walk(v.Index(0), path)
		case reflect.Bool, reflect.String:
		default:
			fill(v, path, next, values)
		}
	}
	walk(reflect.ValueOf(st).Elem(), "Stats")
}

// Every figure of a node's place among others is shown, and none twice.
func TestEveryFigureOfTheClusterIsShown(t *testing.T) {
	t.Parallel()
	var st cluster.Stats
	next, values := 1000, map[int]string{}
	fillCluster(&st, &next, values)
	families := gather(t, New(func() node.Stats { return node.Stats{} }, Options{Cluster: func() *cluster.Stats { return &st }}))
	shown := map[int]string{}
	for _, f := range families {
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
	all := text(t, families)
	for _, want := range []string{"siod_cluster_healthy 1\n", "siod_nats_connected 1\n", "siod_nats_server_store_led 1\n", `siod_log_applied_total{log="0"} `} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q", want)
		}
	}
}

// A server on its own has none of them.
func TestAloneHasNoCluster(t *testing.T) {
	t.Parallel()
	for _, f := range gather(t, New(func() node.Stats { return sample }, Options{})) {
		for _, m := range ofCluster {
			if f.GetName() == m.Name {
				t.Errorf("%s is shown", m.Name)
			}
		}
	}
}

// Each label's values are what the parts say.
func TestLabelsOfTheCluster(t *testing.T) {
	t.Parallel()
	st := &cluster.Stats{
		Members: map[string]int{"alive": 3, "leaving": 1}, Logs: []natsio.LogStats{{Filled: 5}, {Filled: 6}},
		Forward: forward.Stats{Sent: map[forward.Result]uint64{forward.HomeDead: 7}, Served: map[forward.Result]uint64{forward.RefusedSecret: 8}},
	}
	st.Gossip.JoinFailures, st.Backplane.Forged = 9, 10
	got := text(t, gather(t, New(func() node.Stats { return node.Stats{} }, Options{Cluster: func() *cluster.Stats { return st }})))
	for _, want := range []string{
		`siod_cluster_healthy 0`, `siod_cluster_members{state="alive"} 3`, `siod_cluster_members{state="leaving"} 1`,
		`siod_log_filled_total{log="0"} 5`, `siod_log_filled_total{log="1"} 6`,
		`siod_forward_requests_total{result="home_dead"} 7`, `siod_forward_served_total{result="refused_secret"} 8`,
		`siod_gossip_joins_total{result="failed"} 9`, `siod_nats_refused_total{reason="forged"} 10`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no line %s in\n%s", want, got)
		}
	}
}
