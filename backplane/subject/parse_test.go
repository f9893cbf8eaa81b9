package subject_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestParse(t *testing.T) {
	t.Parallel()
	s := space(t)
	lobby := subject.ShardOf("lobby")
	for in, want := range map[string]subject.Parsed{
		"sio.siod.f.nchat." + lobby + ".plobby":    {Class: subject.Fast, Scope: backplane.ScopeRoom, Namespace: "nchat", Shard: lobby, Name: "plobby"},
		"sio.siod.f.n.all":                         {Class: subject.Fast, Scope: backplane.ScopeNamespace, Namespace: "n"},
		"sio.siod.f.n.s.ptokenA.ptokenA01":         {Class: subject.Fast, Scope: backplane.ScopeSocket, Namespace: "n", Home: "ptokenA", Name: "ptokenA01"},
		"sio.siod.i.12.nchat." + lobby + ".plobby": {Class: subject.Ingest, Scope: backplane.ScopeRoom, Log: 12, Namespace: "nchat", Shard: lobby, Name: "plobby"},
		"sio.siod.d.0.n.all":                       {Class: subject.Delivery, Scope: backplane.ScopeNamespace, Namespace: "n"},
		"sio.siod.d.7.n.s.ptokenA.ptokenA01":       {Class: subject.Delivery, Scope: backplane.ScopeSocket, Log: 7, Namespace: "n", Home: "ptokenA", Name: "ptokenA01"},
		"sio.siod.q.nchat":                         {Class: subject.Requests, Scope: backplane.ScopeRequests, Namespace: "nchat"},
		"sio.siod.n.pbootA":                        {Class: subject.Node, Scope: backplane.ScopeNode, Name: "pbootA"},
		"sio.siod.g.n":                             {Class: subject.Gateway, Scope: backplane.ScopeGateway, Namespace: "n"},
		"sio.siod.h.n.pe":                          {Class: subject.Worker, Scope: backplane.ScopeWorker, Namespace: "n", Name: "pe"},
		s.PlainEmit("/chat"):                       {Class: subject.PlainEmit, Namespace: "nchat"},
		s.Occupancy("/chat"):                       {Class: subject.Occupancy, Namespace: "nchat"},
		s.Beat("bootA"):                            {Class: subject.Beat, Name: "pbootA"},
		s.Digest("bootA"):                          {Class: subject.Digest, Name: "pbootA"},
		s.Canary("bootA"):                          {Class: subject.Canary, Name: "pbootA"},
		s.Journal("bootA", "d"):                    {Class: subject.Journal, Node: "pbootA", Name: "pd"},
		s.Owned("bootA.x"):                         {Class: subject.Owned, Name: subject.Encode("bootA.x")},
		s.Owner("bootA.x"):                         {Class: subject.Owner, Name: subject.Encode("bootA.x")},
	} {
		got, err := s.Parse(in)
		if err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
		if _, err := got.Address("", ""); (err == nil) != (got.Scope != 0) || err != nil && !errors.Is(err, subject.ErrUnknown) {
			t.Errorf("%s: address %v", in, err)
		}
		// Neither a token more nor less, nor an empty one, nor a wildcard.
		for _, wrong := range []string{in + ".", in + ".px", "." + in, in[:strings.LastIndexByte(in, '.')], strings.Replace(in, ".siod.", ".siod..", 1), strings.ToUpper(in), in + "*", in + " ", in + "\x00"} {
			if p, err := s.Parse(wrong); !errors.Is(err, subject.ErrUnknown) {
				t.Errorf("%q is read as %+v, %v", wrong, p, err)
			}
		}
		for i := range strings.Count(in, ".") {
			tokens := strings.Split(in, ".")
			tokens[i+1] = "*"
			if p, err := s.Parse(strings.Join(tokens, ".")); err == nil {
				t.Errorf("%v is read as %+v", tokens, p)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	s := space(t)
	for _, in := range []string{
		"", ".", "sio", "sio.siod", "sio.siod.", "sio.other.f.n.all", "sio.siodf.n.all", "Sio.siod.f.n.all", "$JS.API.INFO", "_INBOX_node.pbootA.x",
		"sio.siod.x.n", "sio.siod..n", "sio.siod.f", "sio.siod.f.n", "sio.siod.f.n.ALL", "sio.siod.f.n.AA", "sio.siod.f.n.s", "sio.siod.f.n.s.ptokenA",
		"sio.siod.f.n.AAA.pr", "sio.siod.f.n.A.pr", "sio.siod.f.n.A*.pr", "sio.siod.f.n.gA.pr", "sio.siod.f.n.Ag.pr", "sio.siod.f.n.S.ptokenA.px",
		"sio.siod.f.n.AA.r", "sio.siod.f.n.AA.", "sio.siod.f.chat.all", "sio.siod.f./chat.all", "sio.siod.f.bL2NoYXQ.all", "sio.siod.f.n.all.all",
		"sio.siod.i.n.all", "sio.siod.i", "sio.siod.i.0", "sio.siod.i.x.n.all", "sio.siod.i.-1.n.all", "sio.siod.i.+1.n.all", "sio.siod.i.01.n.all", "sio.siod.i.00.n.all", "sio.siod.i..n.all",
		"sio.siod.i.99999999999999999999.n.all", "sio.siod.i.0.n.s.ptokenA.px.px", "sio.siod.h.n", "sio.siod.j.pa", "sio.siod.j.pa.pb.pc",
		"sio.siod.beat.xootA", "sio.siod.q.*", "sio.siod.f.>", "sio.siod.n.h" + strings.Repeat("!", 43),
		"sio.siod.n.p" + strings.Repeat("x", 129), "sio.siod.n.p" + strings.Repeat("x", 1<<20), strings.Repeat("sio.siod.", 1<<16),
	} {
		if p, err := s.Parse(in); !errors.Is(err, subject.ErrUnknown) || p != (subject.Parsed{}) || len(err.Error()) > 500 {
			t.Errorf("%.60q is read as %+v, %v", in, p, err)
		}
	}
	if _, err := (subject.Space{}).Parse("f.n.all"); !errors.Is(err, subject.ErrUnknown) {
		t.Errorf("the zero Space: %v", err)
	}
}

// Who may publish may choose shard and home freely, and claim any name for a
// hash.
func TestForged(t *testing.T) {
	t.Parallel()
	s := space(t)
	long, longNS := strings.Repeat("x", 200), "/"+strings.Repeat("é", 60)
	room := must(s.Fast(backplane.Room(longNS, long)))
	for _, tt := range []struct {
		subject, namespace, name string
		want                     backplane.Address
	}{
		{room, longNS, long, backplane.Room(longNS, long)},
		{room, longNS, long + "x", backplane.Address{}},
		{room, longNS, "", backplane.Address{}},
		{room, longNS + "x", long, backplane.Address{}},
		{room, "", long, backplane.Address{}},
		{strings.Replace(room, "."+subject.ShardOf(long)+".", ".ab.", 1), longNS, long, backplane.Address{}},
		{must(s.Fast(backplane.Room("/", "r"))), "/other", "other", backplane.Room("/", "r")}, // not looked at
		{"sio.siod.f.n.ab.plobby", "", "", backplane.Address{}},
		{"sio.siod.f.n.s.ptokenA.ptokenA01", "", "", backplane.Socket("/", "tokenA01")},
		{"sio.siod.f.n.s.ptokenB.ptokenA01", "", "", backplane.Address{}},
		{"sio.siod.f.n.s.p.ptokenA01", "", "", backplane.Address{}},
		{"sio.siod.f.n.s.p.p", "", "", backplane.Address{}}, // a socket has an id
		{"sio.siod.f.p.all", "", "", backplane.Address{}},   // a namespace has a name
		{"sio.siod.q.p", "", "", backplane.Address{}},       // so has this
		{"sio.siod.n.p", "", "", backplane.Address{}},       // and a node
		{"sio.siod.h.n.p", "", "", backplane.Address{}},     // and an event
		{must(s.Fast(backplane.Node(long))), "", long, backplane.Node(long)},
		{must(s.Fast(backplane.Node(long))), "", "", backplane.Address{}},
	} {
		p, err := s.Parse(tt.subject)
		if err != nil {
			t.Errorf("%s: %v", tt.subject, err)
			continue
		}
		got, err := p.Address(tt.namespace, tt.name)
		if got != tt.want || (err == nil) != (tt.want != backplane.Address{}) || err != nil && !errors.Is(err, subject.ErrForged) {
			t.Errorf("%s by the names %.10q and %.10q is %s, %v", tt.subject, tt.namespace, tt.name, got, err)
		}
	}
}

func TestClassNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for c := range subject.Owned + 1 {
		if seen[c.String()] || strings.Contains(c.String(), "(") {
			t.Errorf("class %d is called %s", uint8(c), c)
		}
		seen[c.String()] = true
	}
	if got := subject.Class(77).String(); got != "class(77)" {
		t.Error(got)
	}
}
