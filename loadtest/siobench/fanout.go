//go:build linux

package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

// propagation is how long servers get to tell each other who is in the room
// before the first broadcast: without it the first ones may miss the members on
// other servers, on a busy machine.
const propagation = 200 * time.Millisecond

// runFanout: one sender outside the room asks for broadcasts; every member of
// the room records when it received each.
func runFanout(res map[string]any) error {
	debug.SetGCPercent(-1)
	idle := serverUsage()
	conns, took, err := openMany(cfg.conns)
	defer closeAll(conns)
	if err != nil {
		return err
	}
	res["connect_per_s"] = round3(float64(cfg.conns) / took.Seconds())
	sender, err := open(cfg.conns, 0, false)
	if err != nil {
		return err
	}
	all := append(conns[:len(conns):len(conns)], sender)
	defer closeAll([]*conn{sender})
	l, err := newLoop(all)
	if err != nil {
		return err
	}
	defer l.close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	hists := make([]*hist, len(cfg.addrs))
	for i := range hists {
		hists[i] = &hist{}
	}
	got := 0
	measuring := false
	l.on = func(c *conn, d []byte, now int64) {
		if c == sender {
			return
		}
		cfg.dialect.stamps(d, func(t int64) {
			got++
			if measuring {
				hists[c.node].add(now - t)
			}
		})
	}
	fill := filler(cfg.size)
	phase := func(count int, rate float64) error {
		sent, base := 0, got
		start := nanotime()
		limit := start + int64(cfg.maxTime)
		var gap int64
		if rate > 0 {
			gap = int64(1e9 / rate)
		}
		for {
			now := nanotime()
			live := cfg.conns - l.lost
			for sent < count {
				if gap > 0 {
					if now < start+int64(sent)*gap {
						break
					}
				} else if sent-(got-base)/max(live, 1) >= cfg.window {
					break
				}
				stampAt := now
				if gap > 0 {
					stampAt = start + int64(sent)*gap // the intended time: no coordinated omission
				}
				if err := writeAll(sender.fd, cfg.dialect.broadcast(sent, cfg.room, stampAt, fill)); err != nil {
					return fmt.Errorf("send: %w", err)
				}
				sent++
			}
			if sent == count && got-base >= count*live {
				return nil
			}
			if now > limit {
				return fmt.Errorf("time limit: %d of %d deliveries, %d connections lost", got-base, count*cfg.conns, l.lost)
			}
			wait := 50 * time.Millisecond
			if gap > 0 && sent < count {
				wait = time.Duration(start + int64(sent)*gap - now)
			}
			if err := l.poll(wait); err != nil {
				return err
			}
			if l.lost > cfg.conns/10 {
				return fmt.Errorf("%d connections lost", l.lost)
			}
		}
	}
	if len(cfg.addrs) > 1 {
		time.Sleep(propagation)
	}
	if err := phase(cfg.warm, 0); err != nil {
		return err
	}
	measuring = true
	base, baseReads := got, l.reads
	u0, c0 := serverUsage(), selfCPU()
	t1 := time.Now()
	err = phase(cfg.count, cfg.rate)
	wall := time.Since(t1)
	u1, c1 := serverUsage(), selfCPU()
	n := float64(got - base)
	res["deliveries"] = got - base
	res["wall_s"] = round3(wall.Seconds())
	res["deliveries_per_s"] = round3(n / wall.Seconds())
	res["broadcasts_per_s"] = round3(n / float64(cfg.conns) / wall.Seconds())
	res["msgs_per_read"] = round3(n / float64(max(l.reads-baseReads, 1)))
	res["lost_conns"] = l.lost
	if cfg.rate > 0 {
		res["rate"] = cfg.rate
	} else {
		res["window"] = cfg.window
	}
	total := &hist{}
	for i, h := range hists {
		if len(hists) > 1 {
			h.report(res, "node"+strconv.Itoa(i)+"_")
		}
		total.merge(h)
	}
	total.report(res, "")
	reportCPU(res, u0, u1, c1-c0, n, "delivery")
	if len(cfg.pids) > 0 {
		res["rss_per_conn_kb"] = round3(float64(u1.rss-idle.rss) / 1024 / float64(cfg.conns))
	}
	return err
}
