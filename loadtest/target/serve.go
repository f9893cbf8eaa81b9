package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// serve runs the HTTP server until ctx ends.
func serve(ctx context.Context, ln net.Listener, h http.Handler, shutdown func(context.Context) error) error {
	hs := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 32 << 10}
	done := make(chan error, 1)
	go func() { done <- hs.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	err := shutdown(stop)
	_ = hs.Close()
	<-done
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // clients that did not answer the close were cut
	}
	return err
}
