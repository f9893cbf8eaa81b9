package embedded

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	natsd "github.com/nats-io/nats-server/v2/server"
)

// A single store node in a mesh is a raft group of one, which nats-server runs
// but does not begin: it expects two servers at least, does nothing before it
// sees another one, and waits for an election that has one possible end. The
// functions of this file get it over these three.

// seed writes what nats-server keeps about a group between starts, so that it
// takes this one for one that was of one server before: the size of the group,
// and the ids of its members, little-endian, with 32 bits for each number.
func (s *Server) seed(ns *natsd.Server) error {
	name := s.groupFile()
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file := binary.LittleEndian.AppendUint32(nil, 1)
	file = binary.LittleEndian.AppendUint32(file, 1)
	file = append(file, ns.NodeName()...)
	file = binary.LittleEndian.AppendUint16(file, 0)
	return replaceFile(name, file)
}

// groupFile is where nats-server keeps who is in the group of the store nodes.
func (s *Server) groupFile() string {
	return filepath.Join(s.dir, natsd.JetStreamStoreDir, systemAccount, "_js_", "_meta_", "peers.idx")
}

// company is how long a single store node waits for a route to another server
// before it gets one to a server of its own.
const company = 300 * time.Millisecond

// witness starts a second server in this process, without users and store, that
// connects a route to the first, unless somebody else does before. It ends by
// the function returned. Once a group has begun it needs no routes.
func (s *Server) witness(ctx context.Context) (end func(), err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(company)
	for waiting := true; waiting; {
		if s.ns.NumRoutes() > 0 {
			return func() {}, nil
		}
		select {
		case <-tick.C:
		case <-late:
			waiting = false
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	w := &Server{
		cfg:            s.cfg,
		log:            s.log,
		routePasswords: s.routePasswords,
		routeListen:    "127.0.0.1:0",
		advertise:      "127.0.0.1",
		gate:           s.gate,
	}
	w.cfg.Name = s.cfg.Name + ".witness"
	w.cfg.Store, w.cfg.IsStore, w.cfg.Listen = 0, false, ""
	if s.routeTLS != nil {
		w.routeTLS = s.routeTLS.Clone()
		w.routeTLS.InsecureSkipVerify = true // its peer is this process
	}
	o, err := w.options([]string{s.ownRoute()})
	if err != nil {
		return nil, err
	}
	ns, err := natsd.NewServer(o)
	if err != nil {
		return nil, err
	}
	ns.SetLoggerV2(s.log, false, false, false)
	ns.Start()
	return func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	}, nil
}

// ownRoute returns where this process reaches its own route listener.
func (s *Server) ownRoute() string {
	host, port, _ := splitListen(s.routeListen) // chosen by chooseRoute
	if isUnspecified(host) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// hasten has the group elect its leader at once instead of after the election
// time-out, by lowering its quorum from 1 to 1. A store that never had a leader
// refuses, and takes its time.
func (s *Server) hasten(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	nc, err := s.connectSystem()
	if err != nil {
		return err
	}
	defer nc.Close()
	m, err := nc.RequestWithContext(ctx, natsd.JSApiMetaRescue, []byte(`{"quorum_needed":1}`))
	if err != nil {
		return err
	}
	var answer natsd.JSApiMetaRescueResponse
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return err
	}
	if answer.Error != nil && !strings.Contains(answer.Error.Description, "empty") {
		return answer.Error
	}
	return nil
}
