package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
	"github.com/siod-io/siod/transport"
)

// refuse tells the client why it is not let in.
func (c *conn) refuse(name string, err error) {
	if c.srv.closing.Load() {
		// It is the shutdown that ended the middleware; a client that is
		// refused would not come again.
		c.session.Close(transport.ReasonServerShutdown)
		return
	}
	c.srv.stats.connectErrors.Add(1)
	f := protocol.Frames{Text: protocol.AppendConnectError(nil, name, c.refusal(c.connectError(name, err)))}
	if c.parser == parserMsgpack {
		f = parser(f, formMsgpack)
	}
	c.session.SendFrames(f)
}

// connectError is what a client may know of err.
func (c *conn) connectError(name string, err error) *ConnectError {
	if ce, ok := errors.AsType[*ConnectError](err); ok {
		return ce
	}
	switch {
	case errors.Is(err, errPanicked): // logged already
	case errors.Is(err, context.Canceled): // the client is gone
	case errors.Is(err, context.DeadlineExceeded):
		c.srv.say(slog.LevelWarn, "connecting took longer than ConnectTimeout", "ns", clip(name))
		return &ConnectError{Message: "timed out"}
	default:
		c.srv.say(slog.LevelWarn, "connection refused by an error that is not a ConnectError", "ns", clip(name), "err", err)
	}
	return &ConnectError{Message: "not authorized"}
}

// refusal is the error's JSON: an object, and for old clients a string, or the
// data alone (R17).
func (c *conn) refusal(ce *ConnectError) []byte {
	var v any = ce.Message
	switch {
	case c.session.Revision() == engineio.V4:
		v = refusalObject{ce.Message, ce.Data}
	case ce.Data != nil:
		v = ce.Data
	}
	b, bin, err := c.srv.cfg.Codec.AppendValue(nil, nil, v)
	if err == nil && len(bin) == 0 {
		return b
	}
	c.srv.say(slog.LevelWarn, "data of a refusal cannot be sent: it must be JSON without binary values", "err", fmt.Sprint(err))
	return c.refusal(&ConnectError{Message: ce.Message})
}

type refusalObject struct {
	Message string `json:"message"`
	Data    any    `json:"data,omitzero"`
}
