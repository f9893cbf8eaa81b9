// Package backplanetest is the conformance suite of package backplane: each
// promise of its interfaces as a test that every implementation passes. An
// implementation calls [Run] from a test and says honestly what it lacks.
//
//	func TestConformance(t *testing.T) {
//		backplanetest.Run(t, backplanetest.Features{Durable: true}, func(t *testing.T) *backplanetest.Cluster {
//			hub := memory.NewHub(memory.Config{})
//			return &backplanetest.Cluster{Join: …, Kill: …}
//		})
//	}
//
// Tests wait for events, never for time to pass. Where one must know that
// something does not arrive, it sends a marker the same way and waits for that:
// the order of one publisher in one namespace is a promise.
package backplanetest
