package daemon

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/siod-io/siod/internal/config"
)

// ListenError says that an address cannot be listened on, and what to do.
type ListenError struct {
	Option string // key of the configuration
	Addr   string
	Err    error
}

// Error is one line with the address, the reason and the next step.
func (e *ListenError) Error() string {
	s := "cannot listen on " + e.Addr + ": "
	flag := "--" + strings.ReplaceAll(e.Option, "_", "-")
	var dns *net.DNSError
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return s + "the address is in use: stop the program that has it, or choose another with " + flag
	case errors.Is(e.Err, syscall.EACCES):
		return s + "not permitted: ports below 1024 need the capability CAP_NET_BIND_SERVICE, others can be chosen with " + flag
	case errors.Is(e.Err, syscall.EADDRNOTAVAIL):
		return s + "no network interface of this machine has it: choose another with " + flag
	case errors.As(e.Err, &dns):
		return s + "the host name is unknown: choose another with " + flag
	}
	return s + e.Err.Error() + ": see " + flag
}

// Unwrap returns Err.
func (e *ListenError) Unwrap() error { return e.Err }

func listen(ctx context.Context, option, addr string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &ListenError{option, addr, err}
	}
	return ln, nil
}

// reload reads the configuration again and takes over what may change while
// the server runs. A configuration with an error changes nothing.
func (d *Daemon) reload() {
	next, err := d.Read()
	if err != nil {
		d.reloadsWrong.Add(1)
		d.Log.Error("the configuration was not read again", "err", err)
		return
	}
	d.reloadsOK.Add(1)
	live, restart := config.Changes(d.Config, next)
	d.Levels.Set(next)
	d.Config.Log.Level, d.Config.Log.Transport = next.Log.Level, next.Log.Transport
	d.Log.Info("configuration read again", "changed", live)
	if len(restart) > 0 {
		d.Log.Warn("these settings changed and need a restart", "settings", restart)
	}
}
