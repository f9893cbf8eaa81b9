package natsio_test

import (
	"context"
	"sync"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio"
)

// A context may end at any moment, also while its append is queued: that append
// waits no longer, and takes no place.
func TestAppendContextEnds(t *testing.T) {
	t.Parallel()
	c := newLogCluster(t, natsio.LogConfig{Memory: true})
	a := c.join(t, "a")
	log := backplane.LogFor(a, "/")
	var ended, cancelled sync.WaitGroup
	for i := range uint64(2000) {
		ctx, cancel := context.WithCancel(t.Context())
		ended.Add(1)
		cancelled.Go(cancel)
		if err := log.AppendAsync(ctx, chatTo("room", i), func(backplane.Position, error) { ended.Done() }); err != nil {
			ended.Done()
		}
	}
	ended.Wait()
	cancelled.Wait()
	if st := log.Status(); st.Waiting != 0 {
		t.Errorf("%d appends wait, and nobody for them", st.Waiting)
	}
}
