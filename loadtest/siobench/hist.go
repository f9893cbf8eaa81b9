//go:build linux

package main

import "math/bits"

// hist is a log-linear histogram of nanoseconds: 64 steps per power of two,
// so that a quantile is right within 1.6 %.
type hist struct {
	b   [64 * 48]uint64
	n   uint64
	max int64
}

func (h *hist) add(ns int64) {
	if ns < 0 {
		ns = 0
	}
	if ns > h.max {
		h.max = ns
	}
	h.b[slot(uint64(ns))]++
	h.n++
}

// merge adds what another histogram holds.
func (h *hist) merge(o *hist) {
	for i, x := range o.b {
		h.b[i] += x
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// slot is the index of the step that holds v.
func slot(v uint64) int {
	if v < 64 {
		return int(v)
	}
	e := bits.Len64(v) - 7 // v>>e is in 64..127
	s := (e+1)*64 + int(v>>uint(e)) - 64
	if s >= 64*48 {
		s = 64*48 - 1
	}
	return s
}

// quantile is the lower edge of the step in which the share q of values ends.
func (h *hist) quantile(q float64) int64 {
	if h.n == 0 {
		return 0
	}
	want := uint64(q * float64(h.n))
	if want >= h.n {
		want = h.n - 1
	}
	var c uint64
	for i, x := range h.b {
		c += x
		if c > want {
			if i < 64 {
				return int64(i)
			}
			e := i/64 - 1
			return int64(uint64(i%64+64) << uint(e))
		}
	}
	return h.max
}

func (h *hist) report(res map[string]any, prefix string) {
	ms := func(ns int64) float64 { return round3(float64(ns) / 1e6) }
	res[prefix+"p50_ms"] = ms(h.quantile(0.50))
	res[prefix+"p90_ms"] = ms(h.quantile(0.90))
	res[prefix+"p99_ms"] = ms(h.quantile(0.99))
	res[prefix+"max_ms"] = ms(h.max)
}
