package client

import (
	"context"
	"log/slog"

	"github.com/siod-io/siod/protocol/engineio"
)

// upgrade moves the session from polling to WebSocket (Engine.IO protocol,
// "Upgrade"): the new transport is probed while the old one works on; then both
// loops stop, nothing is under way any more, and after the upgrade packet they
// go on with the new one. Whatever fails before that packet leaves the session
// where it is.
func (s *session) upgrade(old wire) {
	ctx, cancel := context.WithTimeout(s.ctx, s.client.cfg.ConnectTimeout)
	defer cancel()
	w, err := dialWebSocket(ctx, s, s.hs.SID)
	if err == nil {
		err = w.probe(ctx)
		if err == nil {
			err = s.switchTo(ctx, old, w)
		}
		if err != nil {
			w.close()
		}
	}
	if err != nil {
		s.client.cfg.Logger.LogAttrs(s.ctx, slog.LevelDebug, "upgrade failed", slog.Any("err", err))
	}
}

func (s *session) switchTo(ctx context.Context, old wire, w *webSocket) error {
	writing, reading := newHandover(), newHandover()
	select {
	case s.writeHold <- writing: // the request that was under way is answered
	case <-ctx.Done():
		return ctx.Err()
	}
	s.readHold.Store(reading)
	select {
	case <-reading.held: // the server has answered the poll, by a noop if it had nothing
	case <-ctx.Done():
		if !s.readHold.CompareAndSwap(reading, nil) {
			reading.next <- old
		}
		writing.next <- old
		return ctx.Err()
	}
	if err := w.write(ctx, []engineio.Packet{{Type: engineio.Upgrade}}); err != nil {
		s.end(err) // the server may have got it, so there is no way back
		return err
	}
	s.mu.Lock()
	s.transport = WebSocket
	s.mu.Unlock()
	reading.next <- w
	writing.next <- w
	return nil
}
