package memory

// ring is a first-in first-out queue that gives its memory back when it is
// empty. The zero value is an empty one.
type ring[T any] struct {
	buf  []T // length is 0 or a power of two
	head int
	n    int
}

// minRing is the least capacity, and what an empty ring keeps.
const minRing = 64

func (r *ring[T]) len() int { return r.n }

// at returns the i-th item from the front.
func (r *ring[T]) at(i int) *T { return &r.buf[(r.head+i)&(len(r.buf)-1)] }

func (r *ring[T]) push(v T) {
	if r.n == len(r.buf) {
		buf := make([]T, max(2*len(r.buf), minRing))
		for i := range r.n {
			buf[i] = *r.at(i)
		}
		r.buf, r.head = buf, 0
	}
	r.n++
	*r.at(r.n - 1) = v
}

// pop takes the item at the front.
func (r *ring[T]) pop() (v T, ok bool) {
	if r.n == 0 {
		return v, false
	}
	p := r.at(0)
	v = *p
	var zero T
	*p = zero
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	if r.n == 0 && len(r.buf) > minRing {
		r.buf, r.head = nil, 0
	}
	return v, true
}

// drop takes the item at the back.
func (r *ring[T]) drop() {
	var zero T
	*r.at(r.n - 1) = zero
	r.n--
}
