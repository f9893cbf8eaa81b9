//go:build linux

package main

import "time"

// runIdle: connect all, settle, read memory.
func runIdle(res map[string]any) error {
	u0 := serverUsage()
	conns, took, err := openMany(cfg.conns)
	defer closeAll(conns)
	if err != nil {
		return err
	}
	u1 := serverUsage()
	res["connect_per_s"] = round3(float64(cfg.conns) / took.Seconds())
	if len(cfg.pids) > 0 {
		res["server_cpu_us_per_connect"] = round3((u1.cpu - u0.cpu) * 1e6 / float64(cfg.conns))
	}
	if cfg.mode == "storm" {
		return nil
	}
	l, err := newLoop(conns)
	if err != nil {
		return err
	}
	defer l.close()
	l.on = func(*conn, []byte, int64) {}
	end := time.Now().Add(min(cfg.hold, cfg.maxTime))
	for time.Now().Before(end) {
		if err := l.poll(50 * time.Millisecond); err != nil {
			return err
		}
	}
	u2 := serverUsage()
	res["lost_conns"] = l.lost
	res["server_rss_mb"] = round3(float64(u2.rss) / (1 << 20))
	res["rss_before_mb"] = round3(float64(u0.rss) / (1 << 20))
	res["rss_per_conn_kb"] = round3(float64(u2.rss-u0.rss) / 1024 / float64(cfg.conns))
	return nil
}
