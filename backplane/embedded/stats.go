package embedded

// Stats are figures of a server at one moment.
type Stats struct {
	Peers         int    // servers that a route leads to
	Clients       int    // connections, those in the process included
	Subscriptions uint32 // of everybody in the mesh, as far as this server knows
	SlowConsumers int64  // connections closed since they did not take what was sent, so far
	Stale         int64  // connections closed since they did not answer pings, so far
	StoreLeader   string // name of the server that leads the store nodes; "" if none is known here, or if this is no store node
	StoreStopped  bool   // it could not write to its store, and stores no more until it is started again
	StoreBytes    uint64 // of what this server stores, in memory and in files
}

// Stats returns what the server counts. It does not block.
func (s *Server) Stats() Stats {
	st := Stats{
		Peers:         s.ns.NumRemotes(),
		Clients:       s.ns.NumClients(),
		Subscriptions: s.ns.NumSubscriptions(),
		SlowConsumers: s.ns.NumSlowConsumers(),
		Stale:         s.ns.NumStaleConnections(),
	}
	if !s.keepsStore() {
		return st
	}
	st.StoreStopped = !s.ns.JetStreamEnabled() && s.life.Err() == nil
	info, err := s.ns.Jsz(nil)
	if err != nil { // only of options that it was not given
		return st
	}
	st.StoreBytes = info.Memory + info.Store
	switch {
	case info.Meta != nil:
		st.StoreLeader = info.Meta.Leader
	case !s.cfg.mesh():
		st.StoreLeader = s.cfg.Name
	}
	return st
}
