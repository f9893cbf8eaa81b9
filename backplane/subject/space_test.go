package subject_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"siod", "S", "a_b-C9", "_", strings.Repeat("c", subject.MaxCluster)} {
		s, err := subject.New(name)
		if err != nil || s.Cluster() != name {
			t.Errorf("%q: %v, Cluster() = %q", name, err, s.Cluster())
		}
	}
	for _, name := range []string{"", "a.b", "*", ">", "a b", "a\x00", "é", "a/b", "\xff", strings.Repeat("c", subject.MaxCluster+1), strings.Repeat("c", 1<<20)} {
		if _, err := subject.New(name); !errors.Is(err, subject.ErrCluster) || len(err.Error()) > 300 {
			t.Errorf("%.40q: %v", name, err)
		}
	}
}

// Subjects stand in permissions, streams and programs of others: they never
// change.
func TestSubjects(t *testing.T) {
	t.Parallel()
	s := space(t)
	for want, got := range map[string]string{
		"sio.siod.>":         s.All(),
		"sio.siod.f.nchat.>": s.FastIn("/chat"),
		"sio.siod.f.*.>":     s.FastIn(backplane.AnyNamespace),
		"sio.siod.f.n.*.*":   s.Rooms("/"),
		"sio.siod.f.nchat." + subject.ShardOf("lobby") + ".*": s.Shard("/chat", "lobby"),
		"sio.siod.i.>":                 s.IngestAll(),
		"sio.siod.i.12.>":              s.IngestLog(12),
		"sio.siod.i.*.nchat.>":         s.IngestIn("/chat"),
		"sio.siod.d.0.>":               s.Feed(0),
		"sio.siod.n.*":                 s.Nodes(),
		"sio.siod.h.nchat.*":           s.Workers("/chat"),
		"sio.siod.h.*.*":               s.Workers(backplane.AnyNamespace),
		"sio.siod.e.nchat":             s.PlainEmit("/chat"),
		"sio.siod.e.*":                 s.PlainEmit(backplane.AnyNamespace),
		"sio.siod.occ.n":               s.Occupancy("/"),
		"sio.siod.occ.*":               s.Occupancy(backplane.AnyNamespace),
		"sio.siod.beat.pbootA":         s.Beat("bootA"),
		"sio.siod.beat.*":              s.Beats(),
		"sio.siod.digest.pbootA":       s.Digest("bootA"),
		"sio.siod.digest.*":            s.Digests(),
		"sio.siod.canary.pbootA":       s.Canary("bootA"),
		"sio.siod.j.pbootA.pd":         s.Journal("bootA", "d"),
		"sio.siod.j.pbootA.bcy4x":      s.Journal("bootA", "s.1"),
		"sio.siod.j.pbootA.*":          s.JournalOf("bootA"),
		"sio.siod.j.*.*":               s.Journals(),
		"sio.siod.own.bYm9vdEEueHl6":   s.Owner("bootA.xyz"),
		"sio.siod.own.*":               s.Owners(),
		"sio.siod.own.mark":            s.OwnersMark(),
		"sio.siod.owned.bYm9vdEEueHl6": s.Owned("bootA.xyz"),
		"sio.siod.owned.*":             s.AllOwned(),
		"_INBOX_node.pbootA":           subject.Inbox("bootA"),
		"_INBOX_node.>":                subject.Inboxes(),
		"sio_siod_log0":                s.LogStream(0),
		"sio_siod_log3":                s.LogStream(3),
		"sio_siod_ses":                 s.SessionStream(),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Two clusters on one NATS never meet, whatever they are called.
func TestClustersAreApart(t *testing.T) {
	t.Parallel()
	clusters := []string{"a", "A", "a_log1", "a_log", "_log1", "a_ses", "b", "f", "sio", "log1", "1"}
	streams := make(map[string]string)
	for _, c := range clusters {
		s, err := subject.New(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{s.LogStream(0), s.LogStream(1), s.LogStream(11), s.SessionStream()} {
			if other, ok := streams[name]; ok {
				t.Errorf("%s is a stream of %s and of %s", name, c, other)
			}
			streams[name] = c
		}
		to, err := s.Fast(backplane.Room("/", "r"))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range clusters {
			other, err := subject.New(d)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Parse(to); (err == nil) != (c == d) {
				t.Errorf("%s read by %s: %v", to, d, err)
			}
			if matches(other.All(), to) != (c == d) {
				t.Errorf("%s matches all of %s", to, d)
			}
		}
	}
}

// The classes that are subscribed whole, or given to a role, hold what they
// should and nothing else.
func TestPatterns(t *testing.T) {
	t.Parallel()
	s := space(t)
	ingest := must(s.Ingest(1, backplane.Room("/chat", "r")))
	delivery := must(s.Delivery(1, backplane.Room("/chat", "r")))
	room := must(s.Fast(backplane.Room("/chat", "r")))
	socket := must(s.Fast(backplane.Socket("/chat", "tokenA0123")))
	all := must(s.Fast(backplane.Namespace("/chat")))
	subjects := map[string]string{
		"ingest": ingest, "delivery": delivery, "room": room, "socket": socket, "all": all,
		"requests": must(s.Fast(backplane.Requests("/chat"))), "node": must(s.Fast(backplane.Node("bootA"))),
		"gateway": must(s.Fast(backplane.Gateway("/chat"))), "worker": must(s.Fast(backplane.Worker("/chat", "e"))),
		"plain": s.PlainEmit("/chat"), "occupancy": s.Occupancy("/chat"), "beat": s.Beat("bootA"), "digest": s.Digest("bootA"),
		"canary": s.Canary("bootA"), "journal": s.Journal("bootA", "d"), "owner": s.Owner("bootA.x"), "inbox": subject.Inbox("bootA") + ".x",
	}
	for pattern, want := range map[string]string{
		s.IngestAll(): "ingest", s.IngestLog(1): "ingest", s.IngestLog(0): "", s.IngestLog(11): "", s.IngestIn("/chat"): "ingest",
		s.IngestIn("/cha"): "", s.IngestIn(""): "ingest", s.Feed(1): "delivery", s.Feed(0): "",
		s.FastIn("/chat"): "room socket all", s.FastIn("/"): "", s.FastIn(""): "room socket all",
		s.Rooms("/chat"): "room", s.Rooms("/"): "", s.Shard("/chat", "r"): "room", s.Shard("/chat", "other"): "",
		s.Nodes(): "node", s.Workers("/chat"): "worker", s.Workers(""): "worker", s.Workers("/"): "",
		s.PlainEmit(""): "plain", s.Occupancy(""): "occupancy", s.Beats(): "beat", s.Digests(): "digest",
		s.JournalOf("bootA"): "journal", s.JournalOf("bootB"): "", s.Journals(): "journal", s.Owners(): "owner",
		subject.Inboxes(): "inbox",
	} {
		for name, sub := range subjects {
			if got := matches(pattern, sub); got != strings.Contains(" "+want+" ", " "+name+" ") {
				t.Errorf("%s gets %s (%s): %v", pattern, name, sub, got)
			}
		}
	}
	for name, sub := range subjects {
		if matches(s.All(), sub) != (name != "inbox") {
			t.Errorf("%s: %s", s.All(), sub)
		}
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

func TestHash(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]uint64{
		"": 0xcbf29ce484222325, "a": 0xaf63dc4c8601ec8c, "foobar": 0x85944171f73967e8, // the authors' vectors
	} {
		if got := subject.Hash(s); got != want {
			t.Errorf("%q: %x, want %x", s, got, want)
		}
	}
}

// Shards stand in subjects: they never change. Names that differ little are
// spread as well as any.
func TestShards(t *testing.T) {
	t.Parallel()
	for room, want := range map[string]string{"": "RA", "lobby": "dJ", "é": "cG", strings.Repeat("x", 256): "Ma"} {
		if got := subject.ShardOf(room); got != want {
			t.Errorf("%.10q: %s, want %s", room, got, want)
		}
	}
	for _, form := range []string{"%d", "room-%d", "user:%d:inbox", "%d.", "/x/%d/y"} {
		counts := make(map[string]int)
		const rooms = 64 * subject.Shards
		for i := range rooms {
			counts[subject.ShardOf(strings.ReplaceAll(form, "%d", itoa(i)))]++
		}
		if len(counts) != subject.Shards {
			t.Errorf("%s: %d of %d shards", form, len(counts), subject.Shards)
		}
		for shard, n := range counts {
			if n < 20 || n > 130 {
				t.Errorf("%s: shard %s has %d rooms, 64 were due", form, shard, n)
			}
		}
	}
}
