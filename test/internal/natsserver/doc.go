// Package natsserver starts NATS servers outside of the nodes, of the version
// that siod is built with, as processes that store on disk.
//
// It stands below the tiers of test/ that need some. A server belongs to the
// test that started it; one goroutine of os/exec reads what it says and ends with
// it. A Server is for one goroutine at a time.
//
//	program := natsserver.Build(t)
//	servers := natsserver.Start(t, program, natsserver.Loopback(t, 3)...)
//	cfg.URL = natsserver.URL(servers)
package natsserver
