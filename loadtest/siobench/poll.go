//go:build linux

package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// runPoll: every client has one keep-alive connection on the HTTP
// long-polling transport and repeats: POST an event that asks for an
// acknowledgement, then GET until the acknowledgement comes.
func runPoll(res map[string]any) error {
	eio := "4"
	if cfg.proto == "sio3" {
		eio = "3"
	}
	clients := make([]*pollClient, cfg.conns)
	for i := range clients {
		c, err := newPollClient(cfg.addrs[i%len(cfg.addrs)], eio)
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		defer c.c.Close()
		clients[i] = c
	}
	msg := `427["echo","` + filler(cfg.size) + `"]`
	var left, done atomic.Int64
	h := &hist{}
	var mu sync.Mutex
	round := func(count int, measure bool) error {
		left.Store(int64(count))
		done.Store(0)
		limit := time.Now().Add(cfg.maxTime)
		errs := make(chan error, len(clients))
		for _, c := range clients {
			go func() {
				var lat []int64
				err := func() error {
					for left.Add(-1) >= 0 {
						if time.Now().After(limit) {
							return errors.New("time limit")
						}
						t := nanotime()
						if err := c.echo(msg); err != nil {
							return err
						}
						lat = append(lat, nanotime()-t)
						done.Add(1)
					}
					return nil
				}()
				if measure {
					mu.Lock()
					for _, v := range lat {
						h.add(v)
					}
					mu.Unlock()
				}
				errs <- err
			}()
		}
		var first error
		for range clients {
			if err := <-errs; err != nil && first == nil {
				first = err
			}
		}
		return first
	}
	if err := round(max(cfg.count/10, cfg.conns), false); err != nil {
		return err
	}
	u0, c0 := serverUsage(), selfCPU()
	t1 := time.Now()
	err := round(cfg.count, true)
	wall := time.Since(t1)
	u1, c1 := serverUsage(), selfCPU()
	n := float64(done.Load())
	res["round_trips"] = done.Load()
	res["wall_s"] = round3(wall.Seconds())
	res["round_trips_per_s"] = round3(n / wall.Seconds())
	res["http_requests_per_s"] = round3(2 * n / wall.Seconds())
	h.report(res, "")
	reportCPU(res, u0, u1, c1-c0, n, "round_trip")
	return err
}
