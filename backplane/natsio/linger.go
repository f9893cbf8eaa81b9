package natsio

import "time"

// lingering is an interest that ends, unless it came back.
type lingering struct {
	in *interest
	at time.Time // when to look
}

// linger has an interest end later. The caller holds mu.
func (r *registry) linger(b *Backplane, in *interest, until time.Time) {
	in.until = until
	if in.queued {
		return
	}
	in.queued = true
	r.queue = append(r.queue, lingering{in, until})
	for len(r.queue) > b.cfg.Lingering {
		if in := r.shift(); in.user.Load() == nil {
			r.drop(in)
		}
	}
}

// expire ends what lingered long enough.
func (r *registry) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	for range len(r.queue) {
		if r.queue[0].at.After(now) {
			return
		}
		in := r.shift()
		switch {
		case in.user.Load() != nil:
		case in.until.After(now): // it came back and left again
			in.queued = true
			r.queue = append(r.queue, lingering{in, in.until})
		default:
			r.drop(in)
		}
	}
}

// shift takes the first interest of the queue. The caller holds mu.
func (r *registry) shift() *interest {
	in := r.queue[0].in
	r.queue[0] = lingering{}
	r.queue = r.queue[1:]
	in.queued = false
	return in
}
