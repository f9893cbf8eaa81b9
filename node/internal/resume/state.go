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
	Own       []OwnState    `json:"own,omitempty"`
	Settled   OwnState      `json:"settled,omitzero"`
	Clear     uint64        `json:"clear,omitempty"`
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

// OwnState is the position of an entry that is the session's own, or of its
// birth, which has no tag here.
type OwnState struct {
	Seq uint64 `json:"seq"`
	Tag string `json:"tag,omitempty"`
}

func ownState(p backplane.Position) OwnState {
	o := OwnState{Seq: p.Seq}
	if p.Tag != (backplane.Tag{}) {
		o.Tag = p.Tag.String()
	}
	return o
}

// position reports false for a tag that is none.
func (o OwnState) position() (p backplane.Position, ok bool) {
	p.Seq = o.Seq
	n := copy(p.Tag[:], o.Tag)
	return p, n == len(o.Tag) && (n == 0 || n == backplane.TagLen)
}

// DirectState is a Direct as plain data. Text is no string here, since JSON
// would mend text that is not valid UTF-8.
type DirectState struct {
	Offset string   `json:"offset"`
	Text   []byte   `json:"text"`
	Binary [][]byte `json:"binary,omitempty"`
	Plain  bool     `json:"plain,omitempty"`
}

// State returns the history as plain data, which shares the frames. upTo is the
// position of this node.
func (h *History) State(r *Ring, upTo backplane.Position) State {
	s := h.withoutDirect(r, upTo)
	s.Gone = Mark{Seq: h.gone.Seq, K: h.gone.K, Direct: h.gone.Direct}
	for i := range h.direct {
		d := &h.direct[i]
		s.Direct = append(s.Direct, DirectState{Offset: d.Offset().String(), Text: d.Frames.Text, Binary: d.Frames.Binary, Plain: d.Plain})
	}
	return s
}

func (h *History) withoutDirect(r *Ring, upTo backplane.Position) State {
	s := State{
		Namespace: h.namespace, SID: h.sid, Birth: h.birth, High: h.high,
		Open: h.open, Past: h.past, Forgotten: h.forgotten,
		K: h.k,
	}
	if h.stale != (backplane.Offset{}) {
		s.Stale = h.stale.String()
	}
	m := h.marks(r, upTo)
	for _, p := range m.own {
		s.Own = append(s.Own, ownState(p))
	}
	if s.Settled, s.Clear = ownState(m.settled), m.clear; m.own != nil {
		// Where it goes on it must not be placed below what is settled.
		s.High = max(s.High, m.settled.Seq)
	}
	return s
}

// Kept returns what survives the death of this node, as a copy: everything but
// the events emitted to the session alone, which are nowhere else (V10).
func (h *History) Kept(r *Ring, upTo backplane.Position) State {
	s := h.withoutDirect(r, upTo)
	s.Open, s.Past = slices.Clone(s.Open), slices.Clone(s.Past)
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
	var ok bool
	if h.settled, ok = s.Settled.position(); !ok || h.settled.Seq > s.High {
		return nil, false
	}
	for i, o := range s.Own {
		p, ok := o.position()
		if !ok || i > 0 && o.Seq <= s.Own[i-1].Seq || o.Seq > s.Settled.Seq {
			return nil, false
		}
		h.own = append(h.own, p)
	}
	h.clear, h.imported = s.Clear, true
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
