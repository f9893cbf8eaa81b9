package feed

import "container/heap"

// hold keeps entries that came before their turn, the lowest on top. An entry
// may be in it twice.
type hold[T any] struct {
	heap     heapOf[T]
	size     int
	maxCount int
	maxSize  int
}

// add keeps an entry. It returns false if there is no room for it: those in
// the hold are nearer to their turn or came first, and this one will be
// fetched.
func (h *hold[T]) add(it Item[T]) bool {
	if len(h.heap) >= h.maxCount || h.size+it.Size > h.maxSize {
		return false
	}
	h.size += it.Size
	heap.Push(&h.heap, it)
	return true
}

// lowest returns the lowest sequence, false if nothing is held.
func (h *hold[T]) lowest() (uint64, bool) {
	if len(h.heap) == 0 {
		return 0, false
	}
	return h.heap[0].Seq, true
}

// take removes the lowest.
func (h *hold[T]) take() Item[T] {
	it := heap.Pop(&h.heap).(Item[T])
	h.size -= it.Size
	return it
}

func (h *hold[T]) clear() {
	clear(h.heap)
	h.heap, h.size = h.heap[:0], 0
}

type heapOf[T any] []Item[T]

func (h heapOf[T]) Len() int           { return len(h) }
func (h heapOf[T]) Less(i, j int) bool { return h[i].Seq < h[j].Seq }
func (h heapOf[T]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heapOf[T]) Push(x any)        { *h = append(*h, x.(Item[T])) }
func (h *heapOf[T]) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = Item[T]{}
	*h = (*h)[:last]
	return it
}
