package resume

import (
	"slices"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// State is a history on its way to another node (V11), as plain data.
type State struct {
	Namespace string        `json:"ns"`
	SID       string        `json:"sid"`
	Birth     uint64        `json:"birth"`
	High      uint64        `json:"high"`
	Stale     string        `json:"stale,omitempty"`
	Open      []Interval    `json:"open,omitempty"`
	Past      []Interval    `json:"past,omitempty"`
	Forgotten uint64        `json:"forgotten,omitempty"`
	K         uint64        `json:"k"`
	Direct    []DirectState `json:"direct,omitempty"`
	Gone      Mark          `json:"gone,omitzero"`
}

// Mark is an offset without a tag, which a lower bound need not have.
type Mark struct {
	Seq    uint64 `json:"seq"`
	K      uint64 `json:"k,omitempty"`
	Direct bool   `json:"direct,omitempty"`
}

// DirectState is a Direct as plain data. Text is no string here, since JSON
// would mend text that is not valid UTF-8.
type DirectState struct {
	Offset string   `json:"offset"`
	Text   []byte   `json:"text"`
	Binary [][]byte `json:"binary,omitempty"`
	Plain  bool     `json:"plain,omitempty"`
}

// State returns the history as plain data, which shares the frames.
func (h *History) State() State {
	s := State{
		Namespace: h.namespace, SID: h.sid, Birth: h.birth, High: h.high,
		Open: h.open, Past: h.past, Forgotten: h.forgotten,
		K: h.k, Gone: Mark{Seq: h.gone.Seq, K: h.gone.K, Direct: h.gone.Direct},
	}
	if h.stale != (backplane.Offset{}) {
		s.Stale = h.stale.String()
	}
	for i := range h.direct {
		d := &h.direct[i]
		s.Direct = append(s.Direct, DirectState{Offset: d.Offset().String(), Text: d.Frames.Text, Binary: d.Frames.Binary, Plain: d.Plain})
	}
	return s
}

// Kept returns what survives the death of this node, as a copy: everything but
// the events emitted to the session alone, which are nowhere else (V10).
func (h *History) Kept() State {
	s := h.State()
	s.Open, s.Past, s.Direct, s.Gone = slices.Clone(s.Open), slices.Clone(s.Past), nil, Mark{}
	return s
}

// Restore returns the history that a State describes. It reports false for one
// that State did not make.
func Restore(s State) (*History, bool) {
	h := &History{
		namespace: s.Namespace, sid: s.SID, birth: s.Birth, high: s.High,
		open: s.Open, past: s.Past, forgotten: s.Forgotten, k: s.K,
		gone: backplane.Offset{Position: backplane.Position{Seq: s.Gone.Seq}, K: s.Gone.K, Direct: s.Gone.Direct},
	}
	if s.SID == "" || s.Namespace == "" {
		return nil, false
	}
	if s.Stale != "" {
		var ok bool
		if h.stale, ok = backplane.ParseOffset(s.Stale); !ok {
			return nil, false
		}
	}
	for _, d := range s.Direct {
		o, ok := backplane.ParseOffset(d.Offset)
		if !ok || !o.Direct || o.K > s.K || o.Seq > s.High {
			return nil, false
		}
		it := Direct{At: o.Position, K: o.K, Frames: protocol.Frames{Text: d.Text, Binary: d.Binary}, Plain: d.Plain}
		h.direct = append(h.direct, it)
		h.bytes += it.Frames.Size()
	}
	return h, true
}
