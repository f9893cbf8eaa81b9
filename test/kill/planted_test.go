package kill

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
)

// lines are what a client's process says, as clients.mjs writes it.
type lines []string

// offsetAt is the offset of an event at a position of the log.
func offsetAt(seq uint64) string {
	b, _ := json.Marshal(backplane.Offset{Position: backplane.Position{Seq: seq, Tag: backplane.Tag{'A', 'A', 'A', 'A'}}}.String())
	return string(b)
}

func event(name string, seq uint64, args ...string) string {
	line := fmt.Sprintf(`[0,"event",%q,%s`, name, offsetAt(seq))
	for _, a := range args {
		line += "," + a
	}
	return line + "]"
}

func connect(sid string, recovered, claimed bool) string {
	return fmt.Sprintf(`[0,"connect",%q,%v,%v]`, sid, recovered, claimed)
}

const (
	disconnect  = `[0,"disconnect","transport close"]`
	changesRoom = "changes" // a join is asked for here, or a leave
)

// storedLog is what the servers stored: events of one of them for one room.
var storedLog = []entry{
	{2, "o:s:0", "room 0"}, {3, "e:s:0", "room 0"}, {4, "e:s:1", "room 0"}, {5, "e:s:2", "room 1"}, {6, "e:s:3", "room 0"},
	{7, "o:s:1", "room 0"}, {8, "e:s:4", "room 0"}, {9, "e:s:5", "room 0"}, {10, "last:s", ""},
}

// faultless is the story of a client that joins a room, loses its server,
// recovers, leaves the room, and begins anew.
func faultless() lines {
	return lines{
		0:  connect("s1", false, false),
		1:  event("born", 1, `"s1"`),
		2:  changesRoom, // a join, between 1 and 3
		3:  event("done", 3, "1", `""`),
		4:  event("e:s:1", 4, "1"),
		5:  disconnect,
		6:  connect("s1", true, true),
		7:  event("e:s:3", 6),
		8:  event("o:s:1", 7, "1"),
		9:  changesRoom, // a leave, between 7 and 9
		10: event("e:s:4", 8, "1"),
		11: event("done", 9, "2", `""`),
		12: event("last:s", 10),
		13: disconnect,
		14: connect("s2", false, true),
		15: event("born", 10, `"s2"`),
	}
}

// judge holds a story against the log, and returns the model.
func judge(t *testing.T, story lines, log []entry, acked ...string) *model {
	t.Helper()
	m := newModel()
	w := &world{model: m, window: time.Hour}
	p := newPeer(m, 0, jsClient)
	p.send = func(string, ...any) {}
	for _, line := range story {
		if line == changesRoom {
			p.change(func(int) int { return 0 }, 1)
			continue
		}
		if err := w.jsLine([]*peer{p}, 0, []byte(line)); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
	}
	for _, name := range acked {
		m.acked[name] = true
	}
	byRoom := m.checkLog(log)
	p.cur.complete = true
	for _, ss := range p.all {
		m.check(ss, byRoom)
	}
	return m
}

// The checker notices what is planted into what a client says: a harness that
// cannot fail would prove nothing.
func TestPlantedDefects(t *testing.T) {
	t.Parallel()
	if m := judge(t, faultless(), storedLog, "o:s:0", "e:s:1"); m.failed() || len(m.apart) > 0 {
		t.Fatalf("faults without a defect: %q, apart %q", m.faults, m.apart)
	}
	kept := slices.Insert(faultless(), 6, faultless()[7]) // by the library, which then asks for it again
	if m := judge(t, kept, storedLog); m.failed() || m.excuse[double] != 1 {
		t.Errorf("an event that the client keeps: faults %q, apart %q", m.faults, m.apart)
	}
	type plant = func(lines) lines
	missing := func(i int) plant { return func(s lines) lines { return slices.Delete(s, i, i+1) } }
	again := func(i, at int) plant { return func(s lines) lines { return slices.Insert(s, at, s[i]) } }
	instead := func(i int, line string) plant { return func(s lines) lines { s[i] = line; return s } }
	inserted := func(i int, line string) plant { return func(s lines) lines { return slices.Insert(s, i, line) } }
	swapped := func(i, j int) plant { return func(s lines) lines { s[i], s[j] = s[j], s[i]; return s } }
	for name, defect := range map[string]struct {
		plant
		want class
	}{
		"an event is lost while connected":          {missing(8), gap},
		"the first missed event is lost":            {missing(7), falsely},
		"the last event before the drop is lost":    {missing(4), falsely},
		"an event comes twice":                      {again(7, 8), double},
		"an event from before the drop comes again": {again(4, 7), double},
		"events change places":                      {swapped(7, 8), double},
		"an event for another room":                 {inserted(5, event("e:s:2", 5)), phantom},
		"an event behind the leave":                 {inserted(12, event("e:s:5", 9)), double},
		"an event that is not in the log":           {instead(7, event("e:s:7", 6)), other},
		"an event at a position without one":        {inserted(12, event("e:s:8", 11)), other},
		"a direct event comes too late":             {instead(11, event("done", 7, "2", `""`)), double},
		"recovered is said of a new session":        {instead(14, connect("s2", true, true)), falsely},
		"recovered is not said":                     {instead(6, connect("s1", false, true)), falsely},
		"another session begins":                    {instead(15, event("born", 10, `"s3"`)), falsely},
		"an event has no offset":                    {instead(7, `[0,"event","e:s:3",null]`), other},
		"a change fails":                            {instead(11, event("done", 9, "2", `"no"`)), other},
		"the client is refused":                     {instead(14, `[0,"refused","timed out"]`), other},
	} {
		if m := judge(t, defect.plant(faultless()), storedLog); m.count[defect.want] == 0 {
			t.Errorf("%s: no %q is noticed; faults: %q", name, defect.want, m.faults)
		}
	}
}

// It notices what is planted into the log, too.
func TestPlantedDefectsOfTheLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		log   []entry
		acked string
		want  class
	}{
		"an acknowledged event is not there": {storedLog, "e:s:9", lost},
		"an event is there twice":            {append(slices.Clone(storedLog), entry{11, "e:s:2", "room 1"}), "", double},
		"events changed places":              {append(slices.Clone(storedLog), entry{11, "o:s:3", "room 1"}, entry{12, "o:s:2", "room 1"}), "", double},
	} {
		if m := judge(t, faultless(), c.log, c.acked); m.count[c.want] == 0 {
			t.Errorf("%s: no %q is noticed; faults: %q", name, c.want, m.faults)
		}
	}
}

// Of what comes while a room is joined, the last events have to come, and while
// it is left the first ones; under ErrNotJournaled deviations are set apart.
func TestChanges(t *testing.T) {
	t.Parallel()
	log := map[string][]entry{"room 0": {{1, "a", "room 0"}, {2, "b", "room 0"}, {3, "c", "room 0"}, {4, "d", "room 0"}}}
	at := func(seqs ...uint64) (got []entry) {
		for _, seq := range seqs {
			got = append(got, log["room 0"][seq-1])
		}
		return got
	}
	join := change{room: "room 0", join: true, after: 1, by: 3}
	leave := change{room: "room 0", after: 3, by: 4}
	open := change{room: "room 0", join: true, after: 1}
	for name, c := range map[string]struct {
		changes []change
		got     []entry
		apart   bool
		want    class // "" if it is right
	}{
		"none":                        {},
		"never joined":                {got: at(2), want: phantom},
		"before the join":             {changes: []change{join}, got: at(1, 2, 3, 4), want: phantom},
		"all of the join":             {changes: []change{join}, got: at(2, 3, 4)},
		"the end of the join":         {changes: []change{join}, got: at(3, 4)},
		"nothing of the join":         {changes: []change{join}, got: at(4)},
		"the beginning of the join":   {changes: []change{join}, got: at(2, 4), want: gap},
		"behind the join":             {changes: []change{join}, got: at(3), want: gap},
		"of the leave":                {changes: []change{join, leave}, got: at(3, 4)},
		"not of the leave":            {changes: []change{join, leave}, got: at(3)},
		"joined again":                {changes: []change{join, join}, got: at(3, 4)},
		"a join without answer":       {changes: []change{open}, got: at(3, 4)},
		"a join without any effect":   {changes: []change{open}},
		"a join that comes and goes":  {changes: []change{open}, got: at(2, 4), want: gap},
		"under a change not stored":   {changes: []change{join}, got: at(2, 4), apart: true},
		"left, and the room comes on": {changes: []change{join, {room: "room 0", after: 3, by: 3}}, got: at(3, 4), want: phantom},
	} {
		m := newModel()
		ss := &session{got: c.got, apart: c.apart, complete: true}
		for _, ch := range c.changes {
			ss.changes = append(ss.changes, &ch)
		}
		m.check(ss, log)
		if m.failed() != (c.want != "") || m.count[c.want] == 0 && c.want != "" || c.apart != (len(m.apart) > 0) {
			t.Errorf("%s: want %q, got %q, apart %q", name, c.want, m.faults, m.apart)
		}
	}
}
