package subject

// Inbox is the prefix of the subjects on which a node gets replies. It has no
// cluster in it: boot ids are drawn at random.
func Inbox(node string) string { return "_INBOX_node." + string(Encode(node)) }

// Inboxes matches the inboxes of all nodes. It is for permissions.
func Inboxes() string { return "_INBOX_node.>" }

// Beat is where a node says every second that it lives.
func (s Space) Beat(node string) string { return s.of("beat", node) }

// Beats matches the beats of all nodes.
func (s Space) Beats() string { return s.prefix + "beat.*" }

// Digest is where a node says how much it published on which subjects (R22).
func (s Space) Digest(node string) string { return s.of("digest", node) }

// Digests matches the digests of all nodes.
func (s Space) Digests() string { return s.prefix + "digest.*" }

// Canary is what a node sends to itself to learn whether messages arrive.
func (s Space) Canary(node string) string { return s.of("canary", node) }

// Journal is the newest record with a key in the journal of a node.
func (s Space) Journal(node, key string) string {
	return s.prefix + join("j", string(Encode(node)), string(Encode(key)))
}

// JournalOf matches the journal of one node.
func (s Space) JournalOf(node string) string { return s.of("j", node) + ".*" }

// Journals matches the journals of all nodes.
func (s Space) Journals() string { return s.prefix + "j.*.*" }

// Owner is the record of who holds a session.
func (s Space) Owner(pid string) string { return s.of("own", pid) }

// Owners matches the owner records of all sessions.
func (s Space) Owners() string { return s.prefix + "own.*" }

// OwnersMark is one of Owners and the record of no session. What is stored there
// marks a place in the order of the records.
func (s Space) OwnersMark() string { return s.prefix + "own.mark" }

// Owned is where the store gives out the owner record of a session, when it has
// it: what is published to [Space.Owner] may yet be refused.
func (s Space) Owned(pid string) string { return s.of("owned", pid) }

// AllOwned matches what the store gives out of all sessions.
func (s Space) AllOwned() string { return s.prefix + "owned.*" }

// Occupancy is where nodes tell which rooms of a namespace, of all with
// [backplane.AnyNamespace], became occupied or vacated.
func (s Space) Occupancy(namespace string) string { return s.prefix + "occ." + wild(namespace) }

// PlainEmit is where processes without a codec emit to a namespace in plain
// JSON; with [backplane.AnyNamespace] it matches all.
func (s Space) PlainEmit(namespace string) string { return s.prefix + "e." + wild(namespace) }

// Nodes matches what is sent to single nodes. It is for permissions.
func (s Space) Nodes() string { return s.prefix + "n.*" }

// Workers matches what is sent to workers of a namespace, of all with
// [backplane.AnyNamespace]. Subscribed with [Queue], it makes a worker of
// whoever does.
func (s Space) Workers(namespace string) string { return s.prefix + join("h", wild(namespace), "*") }

func (s Space) of(class, name string) string { return s.prefix + join(class, string(Encode(name))) }
