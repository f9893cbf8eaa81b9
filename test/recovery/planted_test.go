package recovery

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/siod-io/siod/backplane"
)

// lines are what a client of another process says, as clients.mjs writes it.
type lines []string

// offsetAt is the last argument of an event that stands at a position of the
// log.
func offsetAt(seq uint64) string {
	b, _ := json.Marshal(backplane.Offset{Position: backplane.Position{Seq: seq, Tag: backplane.Tag{'A', 'A', 'A', 'A'}}}.String())
	return string(b)
}

func says(what string, parts ...string) string {
	line := fmt.Sprintf("[0,%q", what)
	for _, p := range parts {
		line += "," + p
	}
	return line + "]"
}

func received(name string, args ...string) string {
	return says("event", slices.Insert(args, 0, `"`+name+`"`)...)
}

// faultless is the story of a client that loses its connection, recovers, and
// then begins anew.
func faultless() lines {
	return lines{
		0:  says("connect", `"s1"`, `false`),
		1:  received("born:s1", offsetAt(1)),
		2:  received("joined", offsetAt(1)),
		3:  received("plan:a", `1`, offsetAt(2)),
		4:  received("all", `0`, `0`, offsetAt(3)),
		5:  received("fast:1", `null`),
		6:  says("disconnect", `"transport close"`),
		7:  says("connect", `"s1"`, `true`),
		8:  received("plan:b", offsetAt(4)),
		9:  received("side", `1`, offsetAt(4)),
		10: received("all", `0`, `1`, offsetAt(5)),
		11: received("side", `2`, offsetAt(5)),
		12: received("plan:c", `"6.text"`, offsetAt(6)),
		13: received("all", `0`, `2`, offsetAt(7)),
		14: says("disconnect", `"transport error"`),
		15: says("connect", `"s2"`, `false`),
		16: received("born:s2", offsetAt(7)),
		17: received("fast:1", `"text"`, `null`), // another session may get it again
	}
}

// check holds lines against the model, and returns it.
func check(t *testing.T, story lines) *model {
	t.Helper()
	m := newModel(jsClient)
	s1, _ := m.begin("s1", 0, 0), m.begin("s2", 0, 0)
	s1.due, s1.side = []string{"a", "b", "c"}, 2
	p := &peer{model: m, kind: jsClient}
	w := &world{model: m}
	for _, line := range story {
		if err := w.jsLine([]*peer{p}, 0, []byte(line)); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
	}
	if !s1.settled() {
		m.fault(gap, "not all that is due came")
	}
	if c, text := s1.checkAll([]uint64{3, 5, 7}, false); c != "" {
		m.fault(c, "%s", text)
	}
	return m
}

// The checker notices what is planted into what a client says: a harness that
// cannot fail would prove nothing.
func TestPlantedDefects(t *testing.T) {
	t.Parallel()
	if m := check(t, faultless()); m.failed() {
		t.Fatalf("faults without a defect: %q", m.faults)
	}
	type plant = func(lines) lines
	lost := func(i int) plant { return func(s lines) lines { return slices.Delete(s, i, i+1) } }
	again := func(i, at int) plant { return func(s lines) lines { return slices.Insert(s, at, s[i]) } }
	instead := func(i int, line string) plant { return func(s lines) lines { s[i] = line; return s } }
	swapped := func(i, j int) plant { return func(s lines) lines { s[i], s[j] = s[j], s[i]; return s } }
	for name, defect := range map[string]struct {
		plant
		want class
	}{
		"a durable event is lost":                {lost(3), gap},
		"the first missed event is lost":         {lost(8), gap},
		"the last event is lost":                 {lost(12), gap},
		"a direct event is lost":                 {lost(9), gap},
		"an event for everybody is lost":         {lost(10), gap},
		"the last event for everybody is lost":   {lost(13), gap},
		"a durable event comes twice":            {again(8, 9), double},
		"an event from before the drop is again": {again(3, 8), double},
		"a direct event comes twice":             {again(11, 12), double},
		"an event for everybody comes twice":     {again(10, 11), double},
		"a fast event comes twice":               {again(5, 9), double},
		"a session begins twice":                 {again(1, 8), double},
		"planned events change places":           {swapped(8, 12), gap},
		"direct events change places":            {swapped(9, 11), gap},
		"recovered is said of a new session":     {instead(15, says("connect", `"s2"`, `true`)), falsely},
		"recovered is not said":                  {instead(7, says("connect", `"s1"`, `false`)), falsely},
		"recovered is said, and a session begins": {
			instead(15, says("connect", `"s1"`, `true`)), falsely},
		"a new session goes on with the old one": {instead(16, received("plan:c", offsetAt(8))), gap},
		"an event has no offset":                 {instead(8, received("plan:b", `1`)), other},
		"an event ends in its name":              {instead(8, received("plan:b")), other},
		"a fast event ends in text":              {instead(5, received("fast:1", `"text"`)), other},
		"a fast event has an offset":             {instead(5, received("fast:1", offsetAt(3))), other},
		"an event that nobody sent":              {instead(8, received("plan:x", offsetAt(4))), other},
		"a session that nobody knows":            {instead(1, received("born:s3", offsetAt(1))), other},
		"the client is refused":                  {instead(15, says("refused", `"timed out"`)), other},
	} {
		if m := check(t, defect.plant(faultless())); m.count[defect.want] == 0 {
			t.Errorf("%s: no %s is noticed; faults: %q", name, defect.want, m.faults)
		}
	}
}
