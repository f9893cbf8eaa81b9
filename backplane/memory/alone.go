package memory

import "github.com/siod-io/siod/backplane"

var _ backplane.Solitary = (*Backplane)(nil)

// Alone implements backplane.Solitary.
func (b *Backplane) Alone() bool { return b.hub.live.Load() <= 1 }
