package node

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
)

// Files that exist are never written again: servers of the release that made
// them may be running, and sessions that they stored be waiting.
var golden = flag.Bool("golden", false, "write the golden files that are missing")

// bodies are what servers tell each other and store, one of each with all its
// fields.
func bodies() map[string]any {
	who := identity{Principal: "cert:ada", User: "ada", Unasked: true}
	state := resume.State{
		Namespace: "/chat", SID: "sid", Birth: 3, High: 42, Stale: "2.abcd+5",
		Open: []resume.Interval{{Room: "sid", Since: 3, Until: resume.Open}, {Room: "é \x00", Since: 7, Until: resume.Open}},
		Past: []resume.Interval{{Room: "left", Since: 5, Until: 9}}, Forgotten: 4,
		Own: []resume.OwnState{{Seq: 3}, {Seq: 40, Tag: "wxyz"}}, Settled: resume.OwnState{Seq: 41, Tag: "mnop"}, Clear: 2,
		K: 9, Gone: resume.Mark{Seq: 8, K: 7, Direct: true},
		Direct: []resume.DirectState{{Offset: "15.efgh+9", Text: []byte("2[\"e\",\"\xff\"]"), Binary: [][]byte{{0, 255}}, Plain: true}},
	}
	return map[string]any{
		"operation": &operation{
			Rooms: []string{"a", "b"}, Close: true, Fetch: fetchBody{Fetch: Fetch{Handshake: true, NoRooms: true, NoData: true}, Count: true},
			Take: takeBody{PID: "boot.pid", NS: "/chat", Who: who, Moves: 2}, Owned: []ownedSession{{PID: "boot.pid", Moves: 3}}, Emitted: 77,
		},
		"operated": &operated{Refused: []string{"sid"}, NotStored: true},
		"taken": &taken{
			Owner: "other", Moves: 3, Session: &state, Who: who, User: "ada",
			Data:  map[string]json.RawMessage{"name": json.RawMessage(`"Ada"`)},
			Until: 1795460000123,
		},
		"fetched": &fetched{Count: 1, Sockets: []RemoteSocket{{
			ID: "sid", Node: "boot", Namespace: "/chat", Rooms: []string{"sid", "a"}, User: "ada", Transport: "websocket",
			Data: map[string]json.RawMessage{"name": json.RawMessage(`{"first":"Ada"}`)},
			Handshake: &RemoteHandshake{
				Time: time.Date(2026, 11, 23, 1, 2, 3, 4, time.UTC), Address: "192.0.2.1:5", URL: "/socket.io/?x=1", Secure: true,
				Header: map[string][]string{"Cookie": {"a=b"}}, Auth: `{"token":"t"}`,
			},
		}}},
		"remoteAnswer": &remoteAnswer{Socket: "sid", Missing: []string{"other"}},
		"serverReply":  &serverReply{Failed: true},
	}
}

// What servers tell each other reads and is written as by the releases before.
func TestGoldenBodies(t *testing.T) {
	t.Parallel()
	for name, v := range bodies() {
		file := filepath.Join("testdata/golden/v1", name+".json")
		text := encodeBody(v)
		if tk, ok := v.(*taken); ok {
			text = encodeTaken(tk)
		}
		want, err := os.ReadFile(file)
		if os.IsNotExist(err) && *golden {
			if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got := reflect.New(reflect.TypeOf(v).Elem()).Interface()
		ok := false
		if tk, is := got.(*taken); is {
			var read *taken
			if read, ok = decodeRecord(backplane.SessionRecord{State: want, Generation: 3}); ok {
				*tk = *read
			}
		} else {
			ok = decodeBody(&backplane.Envelope{Data: want}, got)
		}
		if !ok {
			t.Errorf("%s: the file cannot be read", name)
			continue
		}
		if diff := cmp.Diff(v, got, cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.IgnoreFields(RemoteSocket{}, "ns")); diff != "" {
			t.Errorf("%s: the file says something else (-want +file):\n%s", name, diff)
		}
		var a, b any
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(want, &b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, a); diff != "" {
			t.Errorf("%s is written otherwise (-file +now):\n%s", name, diff)
		}
	}
}
