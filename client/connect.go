package client

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/siod-io/siod/protocol"
)

var errAuth = errors.New("client: auth is not a JSON object")

// connectPayload returns the payload of a CONNECT: the auth object, and before
// it what asks for the recovery of a session, so that auth may override it, as
// in the JavaScript client.
func connectPayload(codec protocol.Codec, auth any, pid, offset string) ([]byte, error) {
	if f, ok := auth.(func() (any, error)); ok {
		var err error
		if auth, err = f(); err != nil {
			return nil, err
		}
	}
	var object []byte
	if auth != nil {
		var bin [][]byte
		var err error
		if object, bin, err = codec.AppendValue(nil, nil, auth); err != nil {
			return nil, fmt.Errorf("%w: %w", errAuth, err)
		}
		if len(object) < 2 || object[0] != '{' || len(bin) > 0 {
			return nil, errAuth
		}
	}
	if pid == "" {
		return object, nil
	}
	recovery := map[string]string{"pid": pid}
	if offset != "" {
		recovery["offset"] = offset
	}
	payload, _, err := protocol.JSON.AppendValue(nil, nil, recovery)
	if err != nil || len(object) <= len("{}") {
		return payload, err
	}
	payload[len(payload)-1] = ','
	return append(payload, object[1:]...), nil
}

// connected takes the server's consent: {"sid":…,"pid":…}.
func (s *Socket) connected(from *session, payload []byte) error {
	var v struct {
		SID string `json:"sid"`
		PID string `json:"pid"`
	}
	if payload != nil {
		_ = protocol.JSON.DecodeValue(payload, nil, &v) // what is missing is noticed below
	}
	if v.SID == "" {
		s.refuse(from, &ConnectError{Namespace: s.namespace, Message: "the server speaks an older revision of the protocol"})
		return nil
	}
	c := s.client
	c.mu.Lock()
	if s.session != from || s.state != waiting {
		c.mu.Unlock()
		return nil
	}
	s.recovered = v.PID != "" && v.PID == s.pid
	if !s.recovered {
		s.offset = ""
	}
	s.id, s.pid = v.SID, v.PID
	early := s.early
	s.early = nil
	s.set(online, nil)
	c.mu.Unlock()

	// Servers may replay missed events before the answer.
	for _, e := range early {
		if err := s.deliver(from, e); err != nil {
			return err
		}
	}
	s.box.post(func() {
		for _, fn := range s.hooks().connect {
			fn()
		}
	})
	return nil
}

// refusedBy takes the server's refusal: {"message":…,"data":…}, or a text.
func (s *Socket) refusedBy(from *session, payload []byte) {
	e := &ConnectError{Namespace: s.namespace}
	if protocol.JSON.DecodeValue(payload, nil, &e.Message) != nil {
		var v struct {
			Message string          `json:"message"`
			Data    json.RawMessage `json:"data"`
		}
		_ = protocol.JSON.DecodeValue(payload, nil, &v) // then the message is empty
		e.Message, e.Data = v.Message, v.Data
	}
	s.refuse(from, e)
}

// refuse makes the socket idle; what it holds for recovery stays, for a later
// attempt with better auth.
func (s *Socket) refuse(from *session, e *ConnectError) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.session != from || s.state != waiting {
		return
	}
	s.set(idle, e)
	s.lose()
	s.box.post(func() {
		for _, fn := range s.hooks().connectError {
			fn(e)
		}
	})
}
