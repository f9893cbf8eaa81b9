package membership

// MetaStarting is the key of Member.Meta by which a member says that it does not
// serve yet. Others may need it to start themselves, but to ask it would be to
// wait for nothing. It takes the key back when it serves.
const MetaStarting = "starting"

// Roster splits the other present members into those that must answer a
// request and those that cannot: heard reports whether a node was heard lately
// on the way the request takes, so a member that gossips and is cut off there
// is known at once and costs no time-out (V17). One that is still starting is in
// neither list. Both hold boot ids, sorted. A nil heard means everybody is.
func Roster(m Membership, heard func(id string) bool) (ask, silent []string) {
	self := m.Self().ID
	for _, p := range m.Members() {
		switch {
		case p.ID == self, p.Meta[MetaStarting] != "":
		case heard == nil || heard(p.ID):
			ask = append(ask, p.ID)
		default:
			silent = append(silent, p.ID)
		}
	}
	return ask, silent
}
