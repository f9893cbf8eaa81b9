//go:build linux

package main

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// runEcho: every connection keeps -depth acknowledged requests in flight
// until -count answers have come in all.
func runEcho(res map[string]any) error {
	debug.SetGCPercent(-1)
	conns, _, err := openMany(cfg.conns)
	defer closeAll(conns)
	if err != nil {
		return err
	}
	l, err := newLoop(conns)
	if err != nil {
		return err
	}
	defer l.close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	h := &hist{}
	msg := maskedFrame(opText, []byte(cfg.dialect.echo(filler(cfg.size))))
	reply := []byte(cfg.dialect.reply)
	done, sent := 0, 0
	measuring := false
	target := 0
	send := func(c *conn) {
		c.sent = nanotime()
		c.out++
		sent++
		_ = writeAll(c.fd, msg)
	}
	l.on = func(c *conn, d []byte, now int64) {
		if !bytes.HasPrefix(d, reply) {
			return
		}
		c.out--
		done++
		if measuring {
			h.add(now - c.sent)
		}
		if sent < target {
			send(c)
		}
	}
	phase := func(count int) error {
		done, sent, target = 0, 0, count
		limit := time.Now().Add(cfg.maxTime)
		for range cfg.depth {
			for _, c := range conns {
				if sent < target {
					send(c)
				}
			}
		}
		for done < count {
			if err := l.poll(50 * time.Millisecond); err != nil {
				return err
			}
			if l.lost > 0 {
				return fmt.Errorf("%d connections lost", l.lost)
			}
			if time.Now().After(limit) {
				return fmt.Errorf("time limit: %d of %d answers", done, count)
			}
		}
		return nil
	}
	if err := phase(max(cfg.count/10, 1)); err != nil {
		return err
	}
	measuring = true
	u0, c0 := serverUsage(), selfCPU()
	t1 := time.Now()
	err = phase(cfg.count)
	wall := time.Since(t1)
	u1, c1 := serverUsage(), selfCPU()
	res["round_trips"] = done
	res["depth"] = cfg.depth
	res["wall_s"] = round3(wall.Seconds())
	res["round_trips_per_s"] = round3(float64(done) / wall.Seconds())
	h.report(res, "")
	reportCPU(res, u0, u1, c1-c0, float64(done), "round_trip")
	return err
}
