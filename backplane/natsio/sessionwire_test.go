package natsio

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
)

// readAll reads a message of a journal.
func readAll(data []byte, l backplane.Limits) (home string, number uint64, records []backplane.SessionRecord, err error) {
	err = readJournal(data, l, func(h string, n uint64) bool {
		home, number = h, n
		return true
	}, func(r backplane.SessionRecord) { records = append(records, r) })
	return home, number, records, err
}

// golden are messages as nodes of every version read them.
var golden = []struct {
	name    string
	hex     string
	home    string
	number  uint64
	records []backplane.SessionRecord
}{
	{"empty", "01" + "0a0161" + "1007", "a", 7, nil},
	{
		"records",
		"01" + "0a0161" + "10ac02" +
			"1a07" + "0a0131" + "220278ff" + // state, of generation 0
			"1a05" + "0a0132" + "2801" + // ended
			"1a09" + "1203622e31" + "1803" + "2200", // of another home, empty state
		"a", 300,
		[]backplane.SessionRecord{
			{PID: "a.1", State: []byte("x\xff")},
			{PID: "a.2"},
			{PID: "b.1", Generation: 3, State: []byte{}},
		},
	},
}

func TestJournalGolden(t *testing.T) {
	t.Parallel()
	for _, tt := range golden {
		want, err := hex.DecodeString(tt.hex)
		if err != nil {
			t.Fatal(err)
		}
		data := appendJournal(nil, tt.home, tt.number)
		for _, r := range tt.records {
			data = appendRecord(data, tt.home, r)
		}
		if !bytes.Equal(data, want) {
			t.Errorf("%s is %x, want %x", tt.name, data, want)
		}
		if len(tt.records) == 0 {
			continue // begin is called with the first one
		}
		home, number, records, err := readAll(want, backplane.Limits{})
		if diff := cmp.Diff(tt.records, records); err != nil || home != tt.home || number != tt.number || diff != "" {
			t.Errorf("%s: %q %d %v (-want +got):\n%s", tt.name, home, number, err, diff)
		}
	}
}

func TestOwnerGolden(t *testing.T) {
	t.Parallel()
	o := backplane.Owner{PID: "a.1", Node: "b", Generation: 2}
	for claim, text := range map[string]string{
		"":    "01" + "0a03612e31" + "120162" + "1802",
		"b-9": "01" + "0a03612e31" + "120162" + "1802" + "2203622d39",
	} {
		data := appendOwner(nil, o, claim)
		if got := hex.EncodeToString(data); got != text {
			t.Errorf("%s, want %s", got, text)
		}
		if got, by, err := readOwner(data); err != nil || got != o || by != claim {
			t.Errorf("%+v, %q, %v", got, by, err)
		}
	}
}

func TestJournalRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		home := rapid.StringN(0, 20, 60).Draw(t, "home")
		var want []backplane.SessionRecord
		data := appendJournal(nil, home, rapid.Uint64().Draw(t, "number"))
		for range rapid.IntRange(1, 5).Draw(t, "n") {
			r := backplane.SessionRecord{
				PID:        rapid.SampledFrom([]string{"", home, home + ".", "x."}).Draw(t, "of") + rapid.StringN(0, 20, 60).Draw(t, "pid"),
				Generation: rapid.Uint64().Draw(t, "generation"),
			}
			if rapid.Bool().Draw(t, "lives") {
				r.State = rapid.SliceOf(rapid.Byte()).Draw(t, "state")
				if r.State == nil {
					r.State = []byte{}
				}
			}
			before := len(data)
			data = appendRecord(data, home, r)
			if added := len(data) - before; added > len(r.PID)+len(r.State)+recordOverhead {
				t.Errorf("%d bytes for a private id of %d and a state of %d", added, len(r.PID), len(r.State))
			}
			want = append(want, r)
		}
		got, _, records, err := readAll(data, backplane.Limits{})
		if diff := cmp.Diff(want, records); err != nil || got != home || diff != "" {
			t.Errorf("%q, %v (-want +got):\n%s", got, err, diff)
		}
		for cut := range data { // what remains is refused, or ends between two records
			_, _, part, err := readAll(data[:cut], backplane.Limits{})
			if err == nil && len(part) == len(records) && len(records) > 0 || len(part) > len(records) {
				t.Errorf("cut at %d of %d: %d records, %v", cut, len(data), len(part), err)
			}
		}
	})
}

func TestJournalMalformed(t *testing.T) {
	t.Parallel()
	record := func(fields string) string { return "01" + "0a0161" + "1001" + "1a" + hexLen(fields) + fields }
	for name, text := range map[string]string{
		"no private id":       record("2201ff"),
		"two private ids":     record("0a0131" + "120132" + "2201ff"),
		"neither state":       record("0a0131"),
		"both":                record("0a0131" + "2201ff" + "2801"),
		"private id a number": record("0801" + "2201ff"),
		"state a number":      record("0a0131" + "2001"),
		"generation bytes":    record("0a0131" + "1a0131" + "2201ff"),
		"length beyond":       record("0a7f31"),
		"huge length":         record("0a" + "ffffffffffffffff7f"),
		"group":               record("0b"),
		"field 0":             record("02"),
		"home after records":  record("0a0131"+"2201ff") + "0a0162",
		"home a number":       "01" + "0801",
		"home too long":       "01" + "0a41" + hex.EncodeToString(make([]byte, 65)),
		"record a number":     "01" + "0a0161" + "1801",
		"unfinished":          "01" + "0a",
		"unfinished fixed":    "01" + "0d0000",
		"empty":               "",
		"version":             "02" + "0a0161",
	} {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, _, records, err := readAll(data, backplane.Limits{}); err == nil {
			t.Errorf("%s: %v", name, records)
		}
	}
	// Later versions may add fields of any kind.
	added := "7a03616263" + "7801" + "7d00000000" + "790000000000000000"
	data, err := hex.DecodeString("01" + added + "0a0161" + "1001" + "1a" + hexLen("0a0131"+added+"2201ff") + "0a0131" + added + "2201ff" + added)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, records, err := readAll(data, backplane.Limits{}); err != nil || len(records) != 1 || records[0].PID != "a.1" {
		t.Errorf("with more fields: %v, %v", records, err)
	}
	_, _, _, err = readAll(appendRecord(appendJournal(nil, "a", 1), "a", backplane.SessionRecord{PID: "a.1", State: make([]byte, 100)}), backplane.Limits{Payload: 99})
	if _, ok := errors.AsType[*backplane.LimitError](err); !ok {
		t.Errorf("over a limit: %v", err)
	}
}

func hexLen(text string) string { return hex.EncodeToString([]byte{byte(len(text) / 2)}) }

// FuzzReadJournal gives any bytes to the decoders: nothing panics, and what is
// accepted is the same when it is encoded and decoded again.
func FuzzReadJournal(f *testing.F) {
	for _, tt := range golden {
		data, err := hex.DecodeString(tt.hex)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(appendOwner(nil, backplane.Owner{PID: "a.1", Node: "b", Generation: 2}, "b-9"))
	limits := backplane.Limits{Payload: 1 << 10}
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, claim, err := readOwner(data); err == nil {
			if got, by, err := readOwner(appendOwner(nil, o, claim)); err != nil || got != o || by != claim {
				t.Fatalf("owner %+v by %q is %+v by %q: %v", o, claim, got, by, err)
			}
		}
		home, number, records, err := readAll(data, limits)
		if err != nil || len(records) == 0 {
			return
		}
		again := appendJournal(nil, home, number)
		for _, r := range records {
			if err := limits.CheckSession(r); err != nil {
				t.Fatal(err)
			}
			again = appendRecord(again, home, r)
		}
		home2, number2, records2, err := readAll(again, limits)
		if diff := cmp.Diff(records, records2); err != nil || home2 != home || number2 != number || diff != "" {
			t.Fatalf("%x again is %x: %v (-once +twice):\n%s", data, again, err, diff)
		}
	})
}
