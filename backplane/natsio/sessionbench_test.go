package natsio_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio"
)

const benchSessions = 10_000

// benchState is as large as that of a session with a few rooms.
var benchState = make([]byte, 300)

func benchRecords(home string) []backplane.SessionRecord {
	records := make([]backplane.SessionRecord, benchSessions)
	for i := range records {
		records[i] = backplane.SessionRecord{PID: fmt.Sprintf("%s.%022d", home, i), State: benchState}
	}
	return records
}

// BenchmarkRecord: each session changes in a call of its own, without a wait
// for the one before. Of states that come quicker than they are stored, the
// newest counts.
func BenchmarkRecord(b *testing.B) {
	c := newSessionCluster(b, natsio.SessionConfig{})
	a := c.join(b, "a")
	records := benchRecords(a.ID())
	ses := sessionsOf(b, a)
	var stored sync.WaitGroup
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		stored.Add(1)
		for ses.Record(records[i%len(records):i%len(records)+1], func(error) { stored.Done() }) != nil {
			stored.Done() // too many wait
			stored.Wait()
			stored.Add(1)
		}
		i++
	}
	stored.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(b.N)/float64(a.SessionStats().Messages), "calls/message")
}

// BenchmarkRecordStorm: all sessions of a node change, and all of that is stored.
func BenchmarkRecordStorm(b *testing.B) {
	c := newSessionCluster(b, natsio.SessionConfig{})
	a := c.join(b, "a")
	records := benchRecords(a.ID())
	for b.Loop() {
		record(b, a, records...)
	}
	s := a.SessionStats()
	b.ReportMetric(float64(s.Records)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(s.Bytes)/float64(s.Records), "B/record")
}

// BenchmarkRecordOne: one session changes, and waits until that is stored.
func BenchmarkRecordOne(b *testing.B) {
	c := newSessionCluster(b, natsio.SessionConfig{})
	a := c.join(b, "a")
	records := benchRecords(a.ID())
	for b.Loop() {
		record(b, a, records[0])
	}
}

// BenchmarkLoad: another node loads the whole journal of a home.
func BenchmarkLoad(b *testing.B) {
	c := newSessionCluster(b, natsio.SessionConfig{})
	a, other := c.join(b, "a"), c.join(b, "b")
	record(b, a, benchRecords(a.ID())...)
	b.ReportAllocs()
	for b.Loop() {
		if n := len(load(b, other, "a")); n != benchSessions {
			b.Fatalf("%d sessions", n)
		}
	}
	_, js := c.operator(b)
	stream, err := js.Stream(waiting(b), c.space(b).SessionStream())
	if err != nil {
		b.Fatal(err)
	}
	state := stream.CachedInfo().State
	b.ReportMetric(float64(state.Bytes)/benchSessions, "stored-B/session")
	b.ReportMetric(float64(state.Msgs), "messages")
}

// BenchmarkClaim: sessions of a killed node are claimed one after the other.
func BenchmarkClaim(b *testing.B) {
	c := newSessionCluster(b, natsio.SessionConfig{})
	ses := sessionsOf(b, c.join(b, "a"))
	i := 0
	for b.Loop() {
		i++
		if _, err := ses.Claim(waiting(b), backplane.Owner{PID: fmt.Sprint("x.", i), Node: "x"}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRenew: a node renews the records of all sessions that moved to it.
func BenchmarkRenew(b *testing.B) {
	c := newSessionCluster(b, natsio.SessionConfig{})
	ses := sessionsOf(b, c.join(b, "a"))
	var held []backplane.Owner
	for i := range 1000 {
		o, err := ses.Claim(waiting(b), backplane.Owner{PID: fmt.Sprint("x.", i), Node: "x"})
		if err != nil {
			b.Fatal(err)
		}
		held = append(held, o)
	}
	for b.Loop() {
		if lost, err := ses.Renew(waiting(b), held); err != nil || len(lost) > 0 {
			b.Fatal(lost, err)
		}
	}
	b.ReportMetric(float64(b.N*len(held))/b.Elapsed().Seconds(), "records/s")
}
