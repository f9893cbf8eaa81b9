package transport

import (
	"strconv"
	"testing"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/wsframe"
)

func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, rev := range []string{"3", "4"} {
		t.Run("revision "+rev, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			p := s.openPolling("EIO=" + rev)
			x := p.session()
			c := p.pending(x)
			ws := p.upgrade()
			ws.text("2probe")
			ws.expect("3probe")
			noop := map[string]string{"3": "1:6", "4": "6"}[rev]
			if a := recv(t, c, "the poll"); a.body != noop {
				t.Errorf("the pending poll got %q, want %q", a.body, noop)
			}
			// What is sent between the probe and the switch waits.
			x.Send(NewText([]byte("before")), 0, false)
			ws.text("5")
			ws.expect("4before")
			ws.text("4hello")
			ws.expect("4hello")
			if x.Transport() != WebSocket {
				t.Errorf("transport %s", x.Transport())
			}
			if a := p.poll(); a.status != 400 || a.body != `{"code":3,"message":"Bad request"}` {
				t.Errorf("poll after the upgrade: %d %s", a.status, a.body)
			}
			if a := p.do("POST", p.query, "4x"); a.status != 400 {
				t.Errorf("post after the upgrade: %d", a.status)
			}
			ws.text("4still")
			ws.expect("4still")
			if st := s.engine.Stats(); st.Upgrades != 1 || st.Opened[Polling] != 1 || st.Opened[WebSocket] != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// The commit may come in the same segment as the probe.
func TestUpgradeInOneWrite(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	c := p.upgrade()
	c.write(append(append(frame(ws.OpText, "2probe"), frame(ws.OpText, "5")...), frame(ws.OpText, "4a")...))
	c.expect("3probe")
	c.expect("4a")
}

// A second WebSocket is accepted and closed; the first is not disturbed.
func TestSecondWebSocket(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	first := p.upgrade()
	second := p.upgrade() // while the first one probes
	second.closes(1005)
	first.text("2probe")
	first.expect("3probe")
	first.text("5")
	third := p.upgrade()
	third.closes(1005)
	third.over()
	first.text("4a")
	first.expect("4a")
}

// What goes wrong on a probing WebSocket ends that, and polling goes on.
func TestProbeFails(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		send  func(*wsClient)
		close uint16
	}{
		"commits at once":  {func(c *wsClient) { c.text("5") }, 1005},
		"sends a message":  {func(c *wsClient) { c.text("4a") }, 1005},
		"sends binary":     {func(c *wsClient) { c.send(ws.OpBinary, "a") }, 1005},
		"sends nonsense":   {func(c *wsClient) { c.text("x") }, 1005},
		"breaks a rule":    {func(c *wsClient) { c.send(3, "") }, 1002},
		"closes":           {func(c *wsClient) { c.send(ws.OpClose, "\x03\xe8") }, 1000},
		"cuts":             {func(c *wsClient) { c.conn.Close() }, 0},
		"probes, then not": {func(c *wsClient) { c.text("2probe"); c.expect("3probe"); c.text("2") }, 1005},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			p := s.openPolling("EIO=4")
			x := p.session()
			c := p.upgrade()
			tt.send(c)
			if tt.close != 0 {
				c.closes(tt.close)
				c.over()
			}
			eventually(t, "the end of the probe", func() bool { x.mu.Lock(); defer x.mu.Unlock(); return x.life.probe == probeNone })
			p.posts("4a")
			p.polls("4a")
			again := p.upgrade()
			again.text("2probe")
			again.expect("3probe")
			again.text("5")
			again.text("4b")
			again.expect("4b")
		})
	}
}

// A probing client may ping as often as it likes; nothing piles up.
func TestProbePings(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	c := p.upgrade()
	c.send(ws.OpPing, "of the WebSocket")
	if m, err := c.next(); err != nil || m.Kind != wsframe.Pong || string(m.Data) != "of the WebSocket" {
		t.Fatalf("%v %q %v", m.Kind, m.Data, err)
	}
	for range 3 {
		c.text("2probe")
		c.expect("3probe")
	}
	c.text("5")
	c.text("4a")
	c.expect("4a")
}

func TestUpgradesDisabled(t *testing.T) {
	t.Parallel()
	s := start(t, Config{DisableUpgrades: true})
	p := s.openPolling("EIO=4")
	if want := `"upgrades":[],`; !contains(p.open, want) {
		t.Errorf("%s", p.open)
	}
	c := s.knock(p.query[:4+1] + "&transport=websocket&sid=" + p.session().ID())
	if c.accept.StatusCode != 400 {
		t.Errorf("%d", c.accept.StatusCode)
	}
	p.posts("4a")
	p.polls("4a")
}

// A poll that is answered just behind the switch leaves the queue to the
// WebSocket.
func TestPollBehindTheSwitch(t *testing.T) {
	t.Parallel()
	e, err := New(Config{Shards: 1}, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Shutdown(t.Context()) }()
	x := sink(e, e.shards[0], -1)
	x.rev = 4
	x.queue.push(item{msg: msg("a")})
	x.heartbeats = duePing
	p := x.payload(nil, &query{}, pollData)
	if string(p.dst) != "6" || x.queue.len() != 1 || x.heartbeats != duePing {
		t.Errorf("%q, %d queued", p.dst, x.queue.len())
	}
}

// Messages are neither lost nor doubled nor swapped around an upgrade, wherever
// they are sent from and whatever the poll is doing.
func TestNothingIsLostAroundAnUpgrade(t *testing.T) {
	t.Parallel()
	const rounds, messages = 20, 300
	for range rounds {
		s := start(t, Config{})
		p := s.openPolling("EIO=4")
		x := p.session()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range messages {
				m := NewText([]byte(strconv.Itoa(i)))
				if i%3 == 0 {
					x.shard.Post(Cast{Message: m, To: []Recipient{{Session: x}}})
				} else {
					x.Send(m, 0, false)
				}
			}
		}()
		next := 0
		take := func(payload string) {
			for _, m := range split(payload) {
				if m == "6" {
					continue
				}
				if m != "4"+strconv.Itoa(next) {
					t.Fatalf("got %q, want message %d", m, next)
				}
				next++
			}
		}
		c := p.upgrade()
		take(p.poll().body)
		polled := p.later("GET", p.query, "")
		c.text("2probe")
		c.expect("3probe")
		take(recv(t, polled, "the last poll").body)
		c.text("5")
		for next < messages {
			m, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			take(string(m.Data))
		}
		<-sent
	}
}
