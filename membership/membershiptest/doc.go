// Package membershiptest is the conformance suite of package membership: what
// its interface promises, as tests that every implementation passes. An
// implementation calls [Run] from a test and says honestly what it lacks.
//
//	func TestConformance(t *testing.T) {
//		membershiptest.Run(t, membershiptest.Features{Kill: true, Names: true},
//			func(t *testing.T) membershiptest.Cluster { return newCluster(t) })
//	}
package membershiptest
