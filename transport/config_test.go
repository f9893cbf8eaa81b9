package transport

import (
	"strings"
	"testing"
	"time"
)

// Every mistake is named, and all of them at once.
func TestValidate(t *testing.T) {
	t.Parallel()
	if err := (Config{Cookie: &Cookie{MaxAge: time.Hour}, Shards: maxShards}).Validate(); err != nil {
		t.Errorf("nothing is wrong with this: %v", err)
	}
	for want, c := range map[string]Config{
		`Path "socket.io" must begin`:                    {Path: "socket.io"},
		`PingTimeout -1s must not be negative`:           {PingTimeout: -time.Second},
		`Events.MaxPause -1s must not be negative`:       {Events: EventLimit{MaxPause: -time.Second}},
		`bounds of Queue and Inbox must not be negative`: {Queue: Queue{MaxBytes: -1}},
		`Shards 1000000000 is more than 4096`:            {Shards: 1e9},
		`PerMessageDeflate.Threshold must not be`:        {PerMessageDeflate: PerMessageDeflate{Threshold: -1}},
		`Transports is empty`:                            {Transports: []string{}},
		`"webtransport" is neither`:                      {Transports: []string{WebSocket, "webtransport"}},
		`Queue.Policy: "wait" is neither`:                {Queue: Queue{Policy: "wait"}},
		`Cookie: http: invalid Cookie.Name`:              {Cookie: &Cookie{Name: "my cookie"}},
		`Cookie: http: invalid Cookie.Domain`:            {Cookie: &Cookie{Domain: "a;b"}},
		`Handshakes`:                                     {Handshakes: RateLimit{PerSecond: -1}},
		`CORS.Origins: "example.com" is not`:             {CORS: CORS{Origins: []string{"example.com"}}},
	} {
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if _, err2 := New(c, nil); err2 == nil {
			t.Errorf("an engine was made in spite of %v", err)
		}
	}
	err := Config{Path: "x", Shards: -1}.Validate()
	if n := strings.Count(err.Error(), "transport: "); n != 2 {
		t.Errorf("%d mistakes are named, want 2: %v", n, err)
	}
}
