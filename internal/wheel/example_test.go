package wheel_test

import (
	"fmt"
	"time"

	"github.com/siod-io/siod/internal/wheel"
)

// session ends when nothing was heard for a while.
type session struct {
	timeout wheel.Timer
	ended   chan struct{}
}

func (s *session) Expired(*wheel.Timer) { close(s.ended) }

func Example() {
	w := wheel.New(wheel.DefaultTick)
	defer w.Close()

	s := &session{ended: make(chan struct{})}
	s.timeout.Init(s)
	w.Schedule(&s.timeout, 25*time.Second)      // connected
	w.Schedule(&s.timeout, 20*time.Millisecond) // something was heard: a new time
	<-s.ended
	fmt.Println("ended, was scheduled:", w.Stop(&s.timeout))
	// Output: ended, was scheduled: false
}
