//go:build linux

package main

import (
	"bytes"
	"strconv"
)

// dialect is what the generator says and hears in one wire protocol. Every
// server under test offers the same three things in it: join a room, ask for a
// broadcast to it, have a value sent back.
type dialect struct {
	path  string // request path of the WebSocket
	open  []step // after the upgrade
	join  func(room string) []step
	ping  string // message that the server sends as a heartbeat, "" for none
	pong  string
	bcast func(seq int, room, object string) string
	echo  func(fill string) string
	reply string // prefix of the answer to echo
	lines bool   // one frame may hold several messages, one a line
}

// step is one part of a handshake: a message to send, if any, and the prefix of
// the message to wait for.
type step struct{ say, expect string }

var dialects = map[string]dialect{
	"sio4":       socketIO("4", []step{{"", "0{"}, {"40", "40"}}, "2", "3"),
	"sio3":       socketIO("3", []step{{"", "0{"}, {"", "40"}}, "", ""), // here clients ping, and short runs need not
	"centrifuge": centrifuge,
	"raw":        raw,
}

func socketIO(eio string, open []step, ping, pong string) dialect {
	return dialect{
		path: "/socket.io/?EIO=" + eio + "&transport=websocket",
		open: open,
		join: func(room string) []step { return []step{{`420["join","` + room + `"]`, "430"}} },
		ping: ping,
		pong: pong,
		bcast: func(_ int, _, object string) string {
			return `42["bcast",` + object + `]`
		},
		echo:  func(fill string) string { return `427["echo","` + fill + `"]` },
		reply: "437",
	}
}

var centrifuge = dialect{
	path: "/connection/websocket",
	open: []step{{`{"id":1,"connect":{}}`, `{"id":1`}},
	join: func(room string) []step {
		return []step{{`{"id":2,"subscribe":{"channel":"` + room + `"}}`, `{"id":2`}}
	},
	ping: "{}",
	pong: "{}",
	bcast: func(seq int, room, object string) string {
		return `{"id":` + strconv.Itoa(seq+10) + `,"publish":{"channel":"` + room + `","data":` + object + `}}`
	},
	echo:  func(fill string) string { return `{"id":7,"rpc":{"method":"echo","data":"` + fill + `"}}` },
	reply: `{"id":7`,
	lines: true,
}

// raw is bare WebSocket text: j joins, b… is broadcast, e… comes back.
var raw = dialect{
	path:  "/",
	join:  func(string) []step { return []step{{"j", "j"}} },
	bcast: func(_ int, _, object string) string { return "b" + object },
	echo:  func(fill string) string { return `e"` + fill + `"` },
	reply: "e",
}

func (d *dialect) isPing(f frame) bool {
	return f.op == opPing || d.ping != "" && string(f.data) == d.ping
}

// answer is the frame that answers a ping of either kind.
func (d *dialect) answer(f frame) []byte {
	if f.op == opPing {
		return maskedFrame(opPong, f.data)
	}
	return maskedFrame(opText, []byte(d.pong))
}

// broadcast asks the server for one broadcast whose object carries the time, in
// nanoseconds of the generator's clock.
func (d *dialect) broadcast(seq int, room string, now int64, fill string) []byte {
	object := `{"t":` + strconv.FormatInt(now, 10) + `,"seq":` + strconv.Itoa(seq) + `,"d":"` + fill + `"}`
	return maskedFrame(opText, []byte(d.bcast(seq, room, object)))
}

// stamps calls add with the time of each message in a frame.
func (d *dialect) stamps(data []byte, add func(t int64)) {
	for {
		t, ok := stamp(data)
		if !ok {
			return
		}
		add(t)
		if !d.lines {
			return
		}
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			return
		}
		data = data[i+1:]
	}
}

var stampKey = []byte(`"t":`)

// stamp reads the number after "t": in a payload.
func stamp(d []byte) (int64, bool) {
	i := bytes.Index(d, stampKey)
	if i < 0 {
		return 0, false
	}
	var v int64
	for _, ch := range d[i+len(stampKey):] {
		if ch < '0' || ch > '9' {
			break
		}
		v = v*10 + int64(ch-'0')
	}
	return v, true
}
