package backplane

// Occupancy is an optional interface of a [Backplane] that knows which rooms
// have members anywhere in the cluster. Use [AsOccupancy] to find it.
//
// Nodes announce nothing extra for it: a node has members of a room exactly
// while it holds a subscription of that [Room].
type Occupancy interface {
	// WatchRooms calls h for each room of a namespace, of all with
	// [AnyNamespace], that gets its first member in the cluster or loses its
	// last, this node included, and first for those that have members now.
	// Calls never overlap; for one room they alternate, beginning with
	// occupied. Changes that follow each other quickly are folded: a room that
	// was empty for a moment only may not be reported at all. A node that dies
	// takes its members along.
	//
	// It is eventually right, and while nodes cannot reach each other it covers
	// those that this one reaches.
	//
	// Errors: [ErrClosed].
	WatchRooms(namespace string, h func(RoomChange)) (Subscription, error)
}

// AsOccupancy returns the Occupancy of b, if it has one.
func AsOccupancy(b Backplane) (Occupancy, bool) {
	o, ok := b.(Occupancy)
	return o, ok
}

// RoomChange says that a room went from no member in the cluster to some, or
// back.
type RoomChange struct {
	Namespace string
	Room      string
	Occupied  bool
}
