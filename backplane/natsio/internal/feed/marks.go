package feed

// marks remembers the newest applied entries by sequence. Sequences grow, with
// a hole where an entry was deleted, so a ring by sequence modulo its length
// holds the newest ones without moving anything.
type marks struct {
	ring   []Mark // the length is a power of two; grows up to max
	max    int
	newest uint64
}

// minRing is how small a ring begins.
const minRing = 1 << 10

func newMarks(remember int) marks {
	size := minRing
	for size < remember {
		size *= 2
	}
	return marks{max: size}
}

// add remembers m, which is newer than all others.
func (k *marks) add(m Mark) {
	if len(k.ring) < k.max && (len(k.ring) == 0 || k.ring[m.Seq&k.mask()].Seq != 0) {
		k.grow()
	}
	k.ring[m.Seq&k.mask()] = m
	k.newest = m.Seq
}

func (k *marks) mask() uint64 { return uint64(len(k.ring) - 1) }

func (k *marks) grow() {
	old := k.ring
	k.ring = make([]Mark, max(minRing, 2*len(old)))
	for _, m := range old {
		if m.Seq != 0 {
			k.ring[m.Seq&k.mask()] = m
		}
	}
}

// at returns the entry with a sequence, if it is remembered.
func (k *marks) at(seq uint64) (Mark, bool) {
	if len(k.ring) == 0 || seq == 0 {
		return Mark{}, false
	}
	m := k.ring[seq&k.mask()]
	return m, m.Seq == seq
}

// all returns those that are remembered, ascending.
func (k *marks) all() []Mark {
	var list []Mark
	first := k.newest + 1 - min(k.newest, uint64(len(k.ring)))
	for seq := first; seq <= k.newest; seq++ {
		if m, ok := k.at(seq); ok {
			list = append(list, m)
		}
	}
	return list
}

// truncate forgets those above seq.
func (k *marks) truncate(seq uint64) {
	k.newest = 0
	for i, m := range k.ring {
		if m.Seq > seq {
			k.ring[i] = Mark{}
		}
		k.newest = max(k.newest, k.ring[i].Seq)
	}
}
