package gossip

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"

	"github.com/siod-io/siod/membership"
)

func full() membership.Member {
	return membership.Member{
		ID: "boot", Token: membership.Token("boot"), Name: "node-1", Addr: "10.0.0.1:8081", Version: "1.2.3",
		Started: time.Unix(1_700_000_000, 123_456_789), State: membership.Leaving,
		Meta: map[string]string{"route": "10.0.0.1:6222", "store": "1", "": "", "bytes": "\x00\xff"},
	}
}

func TestMetaRoundTrip(t *testing.T) {
	t.Parallel()
	long := full()
	long.Name = strings.Repeat("n", maxNames)
	long.Addr, long.Version = "", ""
	long.Meta = map[string]string{strings.Repeat("k", 127): strings.Repeat("v", 127)}
	early := membership.Member{ID: "early", Started: time.Date(1, 1, 2, 0, 0, 0, 1, time.UTC)}
	for name, m := range map[string]membership.Member{
		"full": full(), "long": long, "early": early,
		"left": {ID: "x", State: membership.Left},
		"bare": {ID: "~!"},
	} {
		m.Token = membership.Token(m.ID)
		b := encodeMember(m)
		got, err := decodeMember(m.ID, b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !got.Started.Equal(m.Started) {
			t.Errorf("%s: started %v, want %v", name, got.Started, m.Started)
		}
		got.Started = m.Started
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if again := encodeMember(got); !bytes.Equal(again, b) {
			t.Errorf("%s: encoded twice, %x and %x", name, b, again)
		}
	}
}

// Whatever Validate and CheckMeta accept fits, whatever its shape.
func TestMetaFits(t *testing.T) {
	t.Parallel()
	for keys := 1; keys < membership.MaxMeta/2; keys++ {
		m := full()
		m.Name = strings.Repeat("n", maxNames-len(m.Addr)-len(m.Version))
		m.Meta = make(map[string]string)
		for i := range keys {
			m.Meta[string(rune('0'+i))] = ""
		}
		if membership.CheckMeta(m.Meta) != nil {
			break
		}
		fill := 0 // into the first value
		for membership.CheckMeta(m.Meta) == nil {
			m.Meta["0"] = strings.Repeat("v", fill)
			fill++
		}
		m.Meta["0"] = strings.Repeat("v", max(0, fill-2))
		if err := membership.CheckMeta(m.Meta); err != nil {
			t.Fatal(err)
		}
		if n := len(encodeMember(m)); n > memberlist.MetaMaxSize {
			t.Errorf("%d keys: %d bytes", keys, n)
		}
	}
}

// The bytes that nodes of this version announce. Nodes of the next versions read
// them, so they never change.
func TestMetaGolden(t *testing.T) {
	t.Parallel()
	const golden = "01" + "010101" + "020c000000006553f100075bcd15" +
		"03066e6f64652d31" + "040d31302e302e302e313a38303831" + "0505312e322e33" +
		"0627" + "0000" + "056279746573" + "0200ff" + "05726f757465" + "0d31302e302e302e313a36323232" + "0573746f7265" + "0131"
	want := full()
	if got := hex.EncodeToString(encodeMember(want)); got != golden {
		t.Errorf("%s, want %s", got, golden)
	}
	b, err := hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeMember("boot", b); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
}

func TestMetaOfTheFuture(t *testing.T) {
	t.Parallel()
	b := encodeMember(full())
	b[0] = 7
	b = append(b, 200, 3, 'n', 'e', 'w', 7, 0)
	got, err := decodeMember("boot", b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Error(diff)
	}
	if got, err := decodeMember("boot", []byte{1, tagState, 1, 99}); err != nil || got.State != membership.Alive {
		t.Errorf("a state of the future is %v, %v", got.State, err)
	}
}

func TestMetaRefuses(t *testing.T) {
	t.Parallel()
	large := appendString(appendString(nil, "k"), strings.Repeat("v", membership.MaxMeta))
	twice := appendString(appendString(appendString(appendString(nil, "k"), "1"), "k"), "2")
	for name, tt := range map[string]struct {
		id   string
		b    []byte
		want error // nil: any
	}{
		"empty":           {"a", nil, errMeta},
		"version 0":       {"a", []byte{0}, errMeta},
		"no id":           {"", []byte{1}, nil},
		"long id":         {strings.Repeat("a", maxID+1), []byte{1}, nil},
		"id with space":   {"a b", []byte{1}, nil},
		"id with newline": {"a\n", []byte{1}, nil},
		"id not ASCII":    {"ä", []byte{1}, nil},
		"no length":       {"a", []byte{1, tagName}, errMeta},
		"cut":             {"a", []byte{1, tagName, 5, 'x'}, errMeta},
		"huge length":     {"a", []byte{1, tagName, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, errMeta},
		"endless length":  {"a", append([]byte{1, tagName}, bytes.Repeat([]byte{0xff}, 12)...), errMeta},
		"long state":      {"a", []byte{1, tagState, 2, 0, 0}, errMeta},
		"short start":     {"a", []byte{1, tagStarted, 1, 0}, errMeta},
		"many nanos":      {"a", append([]byte{1, tagStarted, 12}, bytes.Repeat([]byte{0xff}, 12)...), errMeta},
		"key alone":       {"a", []byte{1, tagMeta, 2, 1, 'k'}, errMeta},
		"key twice":       {"a", appendString([]byte{1, tagMeta}, string(twice)), errMeta},
		"large meta":      {"a", appendString([]byte{1, tagMeta}, string(large)), membership.ErrMetaTooLarge},
	} {
		if _, err := decodeMember(tt.id, tt.b); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func FuzzDecodeMember(f *testing.F) {
	f.Add("boot", encodeMember(full()))
	f.Add("a", []byte{1})
	f.Add("a", []byte{9, 200, 1, 0, tagState, 1, 2})
	f.Add("a", []byte{1, tagMeta, 4, 1, 'k', 1, 'v'})
	f.Fuzz(func(t *testing.T, id string, b []byte) {
		m, err := decodeMember(id, b)
		if err != nil {
			return
		}
		if m.Token != membership.Token(id) || !m.State.Present() && m.State != membership.Left {
			t.Errorf("token %s, state %v", m.Token, m.State)
		}
		again, err := decodeMember(id, encodeMember(m))
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Meta) == 0 { // an empty list is left out
			m.Meta, again.Meta = nil, nil
		}
		if !again.Started.Equal(m.Started) && !(again.Started.IsZero() && m.Started.IsZero()) {
			t.Errorf("started %v, then %v", m.Started, again.Started)
		}
		m.Started = again.Started
		if diff := cmp.Diff(m, again); diff != "" {
			t.Error(diff)
		}
	})
}
