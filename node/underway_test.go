package node

import (
	"testing"
	"testing/synctest"
	"time"
)

// settle waits for what had begun, and for nothing that begins later.
func TestUnderway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var u underway
		u.init()
		u.settle(t.Context())
		first, second := u.begin(), u.begin()
		var settled bool
		go func() {
			u.settle(t.Context())
			settled = true
		}()
		synctest.Wait()
		later := u.begin()
		u.end(first)
		synctest.Wait()
		if settled {
			t.Error("settled before the broadcasts")
		}
		u.end(second)
		// What began meanwhile may be waited for once, as it may have been slow.
		u.end(later)
		synctest.Wait()
		if !settled {
			t.Error("not settled after them")
		}

		stuck, begun := u.begin(), time.Now()
		u.settle(t.Context())
		if took := time.Since(begun); took != settleTimeout {
			t.Errorf("waited %v for one that does not end", took)
		}
		u.end(stuck)
		u.settle(t.Context())
	})
}
