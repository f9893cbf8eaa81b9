package natsio

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func readTallies(data []byte) (list []tally, err error) {
	for len(data) > 0 {
		var t tally
		if t, data, err = cutTally(data); err != nil {
			return list, err
		}
		list = append(list, t)
	}
	return list, nil
}

// What beats and digests carry is read by nodes of other releases: it is these
// bytes. A later release may put more behind those of a beat.
func TestPeerDataGolden(t *testing.T) {
	t.Parallel()
	const beat = "\xac\x02\x05"
	if got := appendBeat(nil, 300, 5); string(got) != beat {
		t.Errorf("a beat is %x, want %x", got, beat)
	}
	if digests, changes, ok := beatData([]byte(beat + "more")); digests != 300 || changes != 5 || !ok {
		t.Errorf("a beat is read as %d and %d, %v", digests, changes, ok)
	}
	const digest = "\x08\x07\x06\x05\x04\x03\x02\x01\xac\x02" + "\x01\x00\x00\x00\x00\x00\x00\x80\x07"
	tallies := []tally{{0x0102030405060708, 300}, {1<<63 + 1, 7}}
	if got := appendTallies(nil, tallies); string(got) != digest {
		t.Errorf("a digest is %x, want %x", got, digest)
	}
	if got, err := readTallies([]byte(digest)); err != nil || !slices.Equal(got, tallies) {
		t.Errorf("a digest is read as %v, %v", got, err)
	}
}

func TestTalliesRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.Custom(func(t *rapid.T) tally {
			return tally{rapid.Uint64().Draw(t, "hash"), rapid.Uint64().Draw(t, "n")}
		})).Draw(t, "tallies")
		data := appendTallies(nil, want)
		got, err := readTallies(data)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v is read as %v, %v", want, got, err)
		}
		if len(data) > 0 {
			if got, err := readTallies(data[:len(data)-1]); err == nil || len(got) != len(want)-1 {
				t.Fatalf("cut short it is read as %v, %v", got, err)
			}
		}
	})
}

// FuzzTallies: anything is read to its end or refused, and what is read has the
// form that is written, but for the lengths of numbers.
func FuzzTallies(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendTallies(nil, []tally{{1, 2}, {1 << 63, 1<<64 - 1}}))
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := readTallies(data)
		if err != nil {
			return
		}
		if again, err := readTallies(appendTallies(nil, list)); err != nil || !slices.Equal(again, list) {
			t.Errorf("%v is read as %v, %v", list, again, err)
		}
	})
}
