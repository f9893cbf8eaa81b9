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
	node := func(more ...string) []string { // of a cluster
		return append([]string{"--gossip-listen=127.0.0.1:0", "--cluster-secret-file=testdata/secret", "--store-expect=1"}, more...)
	}
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

		// a node among others
		{args: []string{"--join=10.0.0.7:7946"}, want: `--join: needs --gossip-listen, the address at which other nodes reach this one, such as --gossip-listen=:7946`},
		{args: []string{"--route-listen=:6222"}, want: `--route-listen: needs --gossip-listen: routes lead to nodes that gossip finds`},
		{args: node("--join=10.0.0.7"), want: `--join: "10.0.0.7" is not the address of a node: write host:port as in its gossip_listen, such as 10.0.0.7:7946`},
		{args: node("--gossip-listen=7946"), want: `--gossip-listen: "7946" is not an address: write host:port, such as 10.0.0.7:7946 or :7946 (and 1 more: siod config check lists all)`},
		{args: []string{"--gossip-listen=127.0.0.1:0", "--store-expect=1"}, want: `--gossip-listen: needs a secret that all nodes share: name its file by --cluster-secret-file, or set SIOD_CLUSTER_SECRET; openssl rand -hex 32 makes one`},
		{environ: []string{"SIOD_CLUSTER_SECRET=short"}, want: `SIOD_CLUSTER_SECRET: the secret has a word of 5 characters, at least 16 are needed: openssl rand -hex 32 makes a good one`},
		{args: []string{"--cluster-secret=x"}, want: `--cluster-secret: unknown flag: did you mean "--cluster-secret-file"?`},
		{args: node("--internal-listen="), want: `--gossip-listen: needs --internal-listen, by which other nodes pass requests on to this one, such as --internal-listen=127.0.0.1:3001`},
		{args: node("--gossip-listen=:3000", "--listen=:3000", "--insecure-routes"), want: `--gossip-listen: :3000 is the address of another listener: choose another one`},
		{args: node("--gossip-listen=:7946"), want: `--gossip-listen: nodes beyond this machine need TLS between their NATS servers: set --route-tls-ca, --route-tls-cert and --route-tls-key, or --insecure-routes on a network of their own`},
		{args: node("--advertise=10.0.0.7:7946"), want: `--advertise: "10.0.0.7:7946" is not a host: write a name or an address without a port, such as 10.0.0.7`},
		{args: node("--cluster-name=a.b"), want: `--cluster-name: "a.b" is not a name of a cluster: write 1 to 32 letters, digits, - or _`},
		{args: node("--node-name=a b"), want: `--node-name: "a b" is not a name of a node: write at most 64 characters of ASCII without spaces`},
		{args: node("--route-tls-cert=DIR/a.pem"), want: `--route-tls-cert: cannot read DIR/a.pem: no such file or directory (and 1 more: siod config check lists all)`},
		{args: node("--route-tls-ca=DIR"), want: `--route-tls-ca: DIR is a directory: name a file`},

		// the store
		{args: node("--store-expect=2"), want: `--store-expect: two nodes stop storing when either of them does: use 1 or 3`},
		{args: []string{"--store-expect=3"}, want: `--store-expect: this server is on its own: use 1, or make it a node of a cluster by --gossip-listen`},
		{args: []string{"--store-expect=4"}, want: `--store-expect: "4" is more than 3, the most there may be`},
		{args: node("--store-expect=0"), want: `--recovery: needs a store: set --store-expect to 1 or 3 on every node and --store on as many, or turn recovery off by --recovery=false`},
		{args: []string{"--nats-listen=127.0.0.1:0"}, want: `--recovery: needs a store: set --store-expect to 1 or 3 on every node and --store on as many, or turn recovery off by --recovery=false`},
		{args: node("--store-expect=0", "--recovery=false", "--store"), want: `--store: needs --store-expect, the number of nodes that store events, 1 or 3, the same on every node`},
		{args: node("--store"), want: `--store: needs --node-name, by which the other nodes know this one after a restart`},
		{args: node("--store-dir=DIR"), want: `--store-dir: needs --store, which makes this node one that stores events`},
		{args: []string{"--store-expect=1"}, environ: []string{"SIOD_STORE_KEY=0123456789abcdef"}, want: `SIOD_STORE_KEY: needs --store-dir: what is in memory is not encrypted`},
		{args: node("--store-expect=1", "--store", "--store-dir=DIR", "--node-name=a"), environ: []string{"SIOD_STORE_KEY=0123456789abcdef 1123456789abcdef"}, want: `SIOD_STORE_KEY: it has two keys: the store of a cluster opens with one; see docs/cluster.md for how to change it`},
		{args: []string{"--store-expect=1", "--store-dir=DIR"}, environ: []string{"SIOD_STORE_KEY=short"}, want: `SIOD_STORE_KEY: it has a key of less than 16 characters; openssl rand -hex 32 makes one`},
		{args: []string{"--store-expect=1", "--store-dir=DIR"}, environ: []string{"SIOD_STORE_KEY=0123456789abcdef 1123456789abcdef 2123456789abcdef"}, want: `SIOD_STORE_KEY: it has 3 keys: there may be two, the one to use and the one before`},

		// NATS outside
		{args: []string{"--nats-user=u"}, want: `--nats-user: needs --nats-url, the servers that it is for`},
		{environ: []string{"SIOD_NATS_PASSWORD=p"}, want: `SIOD_NATS_PASSWORD: needs --nats-url, the servers that it is for`},
		{args: []string{"--nats-provision=false"}, want: `--nats-provision: needs --nats-url: a store within the nodes makes its streams itself`},
		{args: []string{"--nats-url=nats://a:4222", "--store-expect=1"}, want: `--nats-url: needs --gossip-listen: nodes find each other by gossip, whatever carries their events`},
		{args: node("--nats-url=http://a"), want: `--nats-url: it has a part that is no address of NATS: write nats://host:4222 or tls://host:4222`},
		{args: node("--nats-url=nats://u:p@a:4222"), want: `--nats-url: an address is shown in logs: leave user and password out of it, and set nats.user and nats.password`},
		{args: node("--nats-url=nats://a:4222", "--store", "--node-name=a"), want: `--store: nats.url names servers that store events themselves: leave it out`},
		{args: node("--nats-url=nats://a:4222", "--nats-listen=:4222"), want: `--nats-listen: nats.url names servers outside of this node, where emitters connect as well: leave one of them out`},
		{args: node("--nats-url=nats://a:4222", "--nats-user=u"), want: `--nats-user: a user goes with its password: set both nats.user and nats.password`},
		{environ: []string{"SIOD_NATS_TOKEN=t", "SIOD_NATS_PASSWORD=p"}, args: node("--nats-url=nats://a:4222", "--nats-user=u"), want: `--nats-url: there are several ways to log in: leave one of nats.user, nats.token and nats.creds`},
		{args: node("--nats-url=nats://a:4222", "--nats-creds=DIR/c"), want: `--nats-creds: cannot read DIR/c: no such file or directory`},

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
