package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// app makes the handler of one --app.
type app func(o *options, log *slog.Logger) (http.Handler, func(context.Context) error, error)

var apps = map[string]app{
	"bench":    onNode(bench),
	"protocol": onNode(protocolSuite),
	"echo":     onNode(echo),
	"engine":   engine,
	"interop":  onNode(interop),
}

func findApp(name string) (app, error) {
	if a, ok := apps[name]; ok {
		return a, nil
	}
	return nil, fmt.Errorf("--app %s is not one of %s", name, strings.Join(slices.Sorted(maps.Keys(apps)), ", "))
}

// onNode makes an app of the registration of handlers on a server.
func onNode(register func(*node.Server)) app {
	return func(o *options, log *slog.Logger) (http.Handler, func(context.Context) error, error) {
		cfg := o.nodeConfig()
		cfg.Logger = log
		o.place.Configure(&cfg)
		srv, err := node.New(cfg)
		if err != nil {
			return nil, nil, err
		}
		register(srv)
		o.serves(srv)
		return srv.Handler(nil), srv.Shutdown, nil
	}
}

// bench is the contract of loadtest/siobench.
func bench(srv *node.Server) {
	ns := srv.Of("/")
	node.Handle(ns, "join", func(_ context.Context, s *node.Socket, room string) (node.None, error) {
		return node.None{}, s.Join(room)
	})
	ns.OnEvent("bcast", func(ctx context.Context, e *node.Event) error {
		return ns.To("r").EmitArgs(ctx, "msg", e.Args)
	})
	ns.OnEvent("echo", func(_ context.Context, e *node.Event) error { return e.AckRaw(e.Args) })
}

// protocolSuite is the contract of the Socket.IO protocol's conformance suite.
func protocolSuite(srv *node.Server) {
	for _, name := range []string{"/", "/custom"} {
		ns := srv.Of(name)
		ns.OnConnect(func(ctx context.Context, s *node.Socket) error {
			args, err := protocol.ParseArgs(append(append([]byte{'['}, s.AuthRaw()...), ']'), nil)
			if err != nil {
				return err
			}
			return s.EmitArgs(ctx, "auth", args)
		})
		ns.OnEvent("message", func(ctx context.Context, e *node.Event) error {
			return e.Socket.EmitArgs(ctx, "message-back", e.Args)
		})
		ns.OnEvent("message-with-ack", func(_ context.Context, e *node.Event) error { return e.AckRaw(e.Args) })
	}
}

// echo acknowledges "echo" with its own arguments.
func echo(srv *node.Server) {
	for _, name := range []string{"/", "/admin"} {
		srv.Of(name).OnEvent("echo", func(_ context.Context, e *node.Event) error { return e.AckRaw(e.Args) })
	}
}

// engine is a bare Engine.IO server that returns every message.
func engine(o *options, log *slog.Logger) (http.Handler, func(context.Context) error, error) {
	cfg := o.transportConfig()
	cfg.Path, cfg.Logger = "/engine.io/", log
	e, err := transport.New(cfg, engineEcho{})
	if err != nil {
		return nil, nil, err
	}
	o.stats = func() node.Stats { return node.Stats{Transport: e.Stats()} }
	return e, e.Shutdown, nil
}

type engineEcho struct{}

func (engineEcho) Open(*transport.Session) error { return nil }

func (engineEcho) Text(s *transport.Session, data []byte) {
	s.Send(transport.NewText(slices.Clone(data)), 0, false)
}

func (engineEcho) Binary(s *transport.Session, data []byte) {
	s.Send(transport.NewBinary(slices.Clone(data)), 0, false)
}

func (engineEcho) Close(*transport.Session, transport.Reason) {}
