package natsio

import (
	"context"
	"fmt"

	"github.com/siod-io/siod/backplane"
)

// newLogs makes the durable logs.
func newLogs(_ context.Context, _ *Backplane, cfg *LogConfig) ([]backplane.Log, error) {
	if cfg != nil {
		return nil, fmt.Errorf("%w: durable logs are not available", ErrConfig)
	}
	return nil, nil
}

// closeLogs ends what newLogs began.
func (b *Backplane) closeLogs(context.Context) {}
