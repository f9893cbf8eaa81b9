//go:build linux

package main

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A quantile is the lower edge of its step, so it is at most the true value and
// at least that less one part in 64.
func TestQuantileIsWithinOneStep(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 1, 300).Draw(t, "values")
		q := rapid.Float64Range(0, 0.999).Draw(t, "q")
		h := &hist{}
		for _, v := range values {
			h.add(v)
		}
		slices.Sort(values)
		want := values[int(q*float64(len(values)))]
		got := h.quantile(q)
		if got > want || float64(got) < float64(want)*63/64-1 {
			t.Fatalf("quantile(%v) of %v is %d, want %d or up to 1/64 less", q, values, got, want)
		}
	})
}

func TestHistTakesEverything(t *testing.T) {
	t.Parallel()
	h := &hist{}
	for _, v := range []int64{-5, 0, 1, 63, 64, 127, 128, 1 << 62} {
		h.add(v)
	}
	if h.n != 8 || h.max != 1<<62 {
		t.Fatalf("n = %d, max = %d", h.n, h.max)
	}
	if got := h.quantile(0); got != 0 {
		t.Fatalf("smallest = %d, want 0", got)
	}
}

func TestMergeEqualsAddingAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.Int64Range(0, 1<<50)).Draw(t, "values")
		a, b, all := &hist{}, &hist{}, &hist{}
		for i, v := range values {
			[]*hist{a, b}[i%2].add(v)
			all.add(v)
		}
		a.merge(b)
		if *a != *all {
			t.Fatal("two halves merged differ from the whole")
		}
	})
}
