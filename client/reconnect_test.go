package client

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Whoever asks for a connection while there is none does not put the next
// attempt off, nor bring it forward.
func TestConnectKeepsBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var attempts []time.Duration
		var asked []int
		c, err := newClient("http://host.invalid", Config{
			Dial: func(context.Context, string, string) (net.Conn, error) {
				attempts = append(attempts, time.Since(begin))
				return nil, errors.New("nobody there")
			},
			Backoff:     func(n int) time.Duration { asked = append(asked, n); return time.Second },
			MaxAttempts: 3,
		})
		if err != nil {
			t.Fatal(err)
		}
		go c.run(nil)
		for _, name := range []string{"/a", "/b"} {
			s, err := c.Of(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for err := error(nil); !errors.Is(err, ErrClosed); {
					ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
					err = s.Connect(ctx)
					cancel()
				}
			}()
		}
		select {
		case <-c.Done():
		case <-time.After(time.Minute):
			t.Error("the back-off never ends")
			_ = c.Close()
			<-c.Done()
		}
		want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}
		if diff := cmp.Diff(want, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{0, 1, 2}, asked); diff != "" {
			t.Errorf("delays (-want +got):\n%s", diff)
		}
	})
}

// A Reconnect whose client is closed meanwhile says so.
func TestReconnectWhileClosing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dialing := make(chan struct{})
		c, err := newClient("http://host.invalid", Config{
			NoReconnect: true,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				close(dialing)
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		go c.run(nil)
		got := make(chan error, 1)
		go func() { got <- c.Reconnect(t.Context()) }()
		<-dialing
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-got; !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
		<-c.Done()
	})
}
