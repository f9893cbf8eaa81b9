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
