package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each mistake is answered with one line that names the culprit as it was
// spelled, says what is wrong, and what to do. FILE stands for the file's name,
// DIR for an empty directory.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file    string
		environ []string
		args    []string
		want    string
	}{
		// unknown names
		{args: []string{"--ping-intervall=1s"}, want: `--ping-intervall: unknown flag: did you mean "--ping-interval"?`},
		{args: []string{"--zzzz"}, want: `--zzzz: unknown flag: --help lists the flags`},
		{args: []string{"-p", "80"}, want: `-p: unknown flag: long flags begin with two dashes, --help lists them`},
		{args: []string{"--cors-allowed-origins=*"}, want: `--cors-allowed-origins: unknown flag: did you mean "--cors-origins"?`},
		{environ: []string{"SIOD_PING_INTERVALL=1s"}, want: `SIOD_PING_INTERVALL: unknown variable: did you mean "SIOD_PING_INTERVAL"?`},
		{environ: []string{"SIOD_MAX_HTTP_BUFFER_SIZE=1"}, want: `SIOD_MAX_HTTP_BUFFER_SIZE: unknown variable: did you mean "SIOD_MAX_PAYLOAD"?`},
		{environ: []string{"SIOD_QWERTY=1"}, want: `SIOD_QWERTY: unknown variable: siod config env lists them`},
		{file: "ping_intervall: 1s", want: `FILE: ping_intervall: unknown key: did you mean "ping_interval"?`},
		{file: "maxHttpBufferSize: 1", want: `FILE: maxHttpBufferSize: unknown key: did you mean "max_payload"?`},
		{file: "cors: {origin: x}", want: `FILE: cors.origin: unknown key: did you mean "cors.origins"?`},
		{file: "recovery: true", want: `FILE: recovery: is a section: indent its keys below it`},
		{file: "listen: {port: 3000}", want: `FILE: listen.port: unknown key: did you mean "listen"?`},
		{file: "qwerty: 1", want: `FILE: qwerty: unknown key: siod config doc lists them`},

		// values
		{args: []string{"--ping-interval"}, want: `--ping-interval: needs a value: Time between heartbeats.`},
		{args: []string{"--ping-interval=25"}, want: `--ping-interval: "25" is not a duration: write one such as 300ms, 25s or 2m`},
		{args: []string{"--ping-interval=-1s"}, want: `--ping-interval: "-1s" is not a duration: write one such as 300ms, 25s or 2m`},
		{args: []string{"--ping-interval=0s"}, want: `--ping-interval: "0s" must be more than 0s`},
		{file: "ping_interval: 25", want: `FILE: ping_interval: "25" is not a duration: write one such as 300ms, 25s or 2m`},
		{file: "ping_interval:", want: `FILE: ping_interval: has no value: write "" for an empty one, or leave the key out`},
		{args: []string{"--max-payload=1XB"}, want: `--max-payload: "1XB" is not a size: write one such as 64KiB, 1MB or 4096`},
		{args: []string{"--max-payload=0"}, want: `--max-payload: "0" must be at least 1B`},
		{file: "max_payload: 1.5", want: `FILE: max_payload: "1.5" is not a size: write one such as 64KiB, 1MB or 4096`},
		{environ: []string{"SIOD_MAX_ROOM=5KiB"}, want: `SIOD_MAX_ROOM: "5KiB" is more than 4KiB, the most there may be`},
		{environ: []string{"SIOD_MAX_ROOMS=many"}, want: `SIOD_MAX_ROOMS: "many" is not a whole number from 0 up`},
		{file: "max_rooms: 0", want: `FILE: max_rooms: "0" must be at least 1`},
		{file: "max_depth: 10001", want: `FILE: max_depth: "10001" is more than 10000, the most there may be`},
		{args: []string{"--shards=1000000000"}, want: `--shards: "1000000000" is more than 4096, the most there may be`},
		{file: "event_rate: fast", want: `FILE: event_rate: "fast" is not a number from 0 up`},
		{args: []string{"--event-rate=NaN"}, want: `--event-rate: "NaN" is not a number from 0 up`},
		{file: "eio3: maybe", want: `FILE: eio3: "maybe" is neither true nor false`},
		{file: "transports: [polling, websockets]", want: `FILE: transports: "[polling websockets]" has "websockets", which is not one of polling, websocket: did you mean "websocket"?`},
		{file: "transports: []", want: `FILE: transports: "[]" must not be empty`},
		{file: "transports: [polling, polling]", want: `FILE: transports: "[polling polling]" has "polling" twice`},
		{file: "transports: {a: b}", want: `FILE: transports.a: unknown key: did you mean "transports"?`},
		{file: "cors: {methods: [[a]]}", want: `FILE: cors.methods: "[[a]]" is not a list of texts`},
		{file: "listen: [a]", want: `FILE: listen: "[a]" is not a text`},
		{args: []string{"--queue-policy=drop"}, want: `--queue-policy: "drop" is not one of disconnect, drop-oldest: did you mean "drop-oldest"?`},
		{args: []string{"--listen="}, want: `--listen: "" must not be empty`},

		// values that do not go together
		{args: []string{"--listen=3000"}, want: `--listen: "3000" is not an address: write host:port, such as 127.0.0.1:3000 or :3000`},
		{args: []string{"--internal-listen=:70000"}, want: `--internal-listen: ":70000" is not an address: write host:port, such as 127.0.0.1:3000 or :3000`},
		{args: []string{"--listen=:80", "--internal-listen=:80"}, want: `--internal-listen: :80 is the address for clients: choose another one`},
		{args: []string{"--path=socket.io"}, want: `--path: "socket.io" is not a path: write one with both slashes, such as /socket.io/`},
		{args: []string{"--namespaces=chat"}, want: `--namespaces: "chat" is not a namespace: write /, /name or /begin*, at most 128B and without , or ?`},
		{args: []string{"--namespaces=/a*b"}, want: `--namespaces: "/a*b" is not a namespace: write /, /name or /begin*, at most 128B and without , or ?`},
		{args: []string{"--namespaces=/\xff"}, want: `--namespaces: "/\xff" is not a namespace: write /, /name or /begin*, at most 128B and without , or ?`},
		{args: []string{"--cors-origins=example.com"}, want: `--cors-origins: "example.com" is not an origin: write scheme and host, such as https://app.example.com, https://*.example.com, or *`},
		{args: []string{"--cors-origins=*", "--cors-credentials"}, want: `--cors-origins: * together with cors.credentials lets every site act as its visitors: list the origins, or set cors.insecure_any_origin`},
		{file: "trusted_proxies: [10.0.0.0/33]", want: `FILE: trusted_proxies: "10.0.0.0/33" is not an address or a network, such as 10.0.0.0/8`},
		{args: []string{"--handshake-rate=5"}, want: `--handshake-rate: needs trusted_proxies, or direct if no proxy stands before the server: clients cannot be told apart otherwise`},
		{args: []string{"--cookie=io", "--cookie-same-site=none"}, want: `--cookie-same-site: browsers refuse none without cookie.secure: set that too`},
		{args: []string{"--cookie=a b"}, want: `--cookie: "a b" is not the name of a cookie`},
		{args: []string{"--static=DIR/nothing"}, want: `--static: cannot read DIR/nothing: no such file or directory`},
		{args: []string{"--client-bundle=DIR"}, want: `--client-bundle: DIR has no socket.io.js: name the directory dist of the npm package socket.io-client`},

		// the file
		{args: []string{"--config=DIR/nothing"}, want: `DIR/nothing: cannot read the configuration: no such file or directory`},
		{file: "a: b: c", want: `FILE: is not YAML with keys and values: yaml: mapping values are not allowed in this context`},
		{file: "- a", want: `FILE: is not YAML with keys and values: yaml: unmarshal errors: line 1: cannot unmarshal !!seq into map[string]interface {}`},
		{file: "listen: :1\nlisten: :2", want: `FILE: is not YAML with keys and values: yaml: unmarshal errors: line 2: mapping key "listen" already defined at line 1`},

		// secrets
		{environ: []string{"SIOD_INTERNAL_TOKEN_FILE=DIR/nothing"}, want: `SIOD_INTERNAL_TOKEN_FILE: cannot read DIR/nothing: no such file or directory`},
		{environ: []string{"SIOD_INTERNAL_TOKEN=a", "SIOD_INTERNAL_TOKEN_FILE=b"}, want: `SIOD_INTERNAL_TOKEN_FILE: SIOD_INTERNAL_TOKEN sets the same secret: leave one of them`},
		{args: []string{"--internal-token=a"}, want: `--internal-token: unknown flag: did you mean "--internal-token-file"?`},

		// several
		{args: []string{"--ping-interval=x"}, environ: []string{"SIOD_X=1"}, want: `SIOD_X: unknown variable: siod config env lists them (and 1 more: siod config check lists all)`},
	} {
		dir := t.TempDir()
		in := func(list []string) (out []string) {
			for _, s := range list {
				out = append(out, strings.ReplaceAll(s, "DIR", dir))
			}
			return out
		}
		l, err := read(t, c.file, in(c.environ), in(c.args))
		if err == nil {
			t.Errorf("no error; want %s", c.want)
			continue
		}
		got := strings.ReplaceAll(err.Error(), dir, "DIR")
		if l != nil && l.File != "" {
			got = strings.ReplaceAll(got, l.File, "FILE")
		}
		if got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s: the error is a %T", c.want, err)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q has several lines", err)
		}
	}
}

// A file that cannot be read as one.
func TestFileIsADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := read(t, "", nil, []string{"--config", dir})
	if want := dir + ": cannot read the configuration: is a directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	link := filepath.Join(dir, "file")
	if err := os.WriteFile(link, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, "", nil, []string{"--static", link}); err == nil || !strings.HasSuffix(err.Error(), "file is not a directory") {
		t.Errorf("got %v", err)
	}
}
