package cluster

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/siod-io/siod/internal/testaddr"
	"github.com/siod-io/siod/test/internal/target"
)

// patience bounds the start and the end of a balancer.
const patience = 20 * time.Second

// balancer is a program that stands before the nodes.
type balancer struct {
	name   string
	config string // a template over balanced
	args   func(dir string) []string
	stop   syscall.Signal
}

// balanced is what a configuration is made of.
type balanced struct {
	Listen string
	Dir    string
	Nodes  []*target.Server
}

// Neither has anything for sessions: no cookie, no hash, no table. HAProxy tells
// a node that a client left its poll only with abortonclose; without, the node
// knows it by the heartbeat.
var balancers = []balancer{
	{
		name: "haproxy",
		config: `global
    maxconn 4000
defaults
    mode http
    log stdout format raw local0
    option httplog
    option dontlog-normal
    timeout connect 5s
    timeout client 90s
    timeout server 90s
    timeout tunnel 1h
    option forwardfor
    option abortonclose
frontend clients
    bind {{.Listen}}
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /readyz
    default-server check inter 200ms fall 2
{{- range $i, $n := .Nodes}}
    server n{{$i}} {{$n.Addr}} check port {{port $n.Internal}}
{{- end}}
`,
		args: func(dir string) []string { return []string{"-db", "-f", filepath.Join(dir, "config")} },
		stop: syscall.SIGTERM,
	},
	{
		name: "nginx",
		config: `daemon off;
master_process off;
pid {{.Dir}}/pid;
error_log stderr warn;
events { worker_connections 4000; }
http {
    access_log off;
    client_body_temp_path {{.Dir}}/body;
    proxy_temp_path {{.Dir}}/proxy;
    fastcgi_temp_path {{.Dir}}/fastcgi;
    uwsgi_temp_path {{.Dir}}/uwsgi;
    scgi_temp_path {{.Dir}}/scgi;
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    upstream nodes {
{{- range .Nodes}}
        server {{.Addr}};
{{- end}}
        keepalive 64;
    }
    server {
        listen {{.Listen}};
        client_max_body_size 2m;
        location / {
            proxy_pass http://nodes;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_read_timeout 90s;
        }
    }
}
`,
		args: func(dir string) []string {
			return []string{"-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "config")}
		},
		stop: syscall.SIGTERM,
	},
}

// start runs the balancer until the test ends, and returns its URL when it takes
// connections.
func (b balancer) start(t *testing.T, nodes []*target.Server) string {
	t.Helper()
	to := balanced{Listen: testaddr.Free(t), Dir: t.TempDir(), Nodes: nodes}
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	var text bytes.Buffer
	if err := template.Must(template.New("").Funcs(template.FuncMap{"port": port}).Parse(b.config)).Execute(&text, to); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to.Dir, "config"), text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := find(b.name)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(to.Dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, b.args(to.Dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(b.stop)
		kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		<-done
		kill.Stop()
		log.Close()
		if said, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("%s said:\n%s", b.name, tail(string(said)))
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		c, err := net.Dial("tcp", to.Listen)
		if err == nil {
			c.Close()
			return "http://" + to.Listen
		}
		select {
		case <-tick.C:
		case <-done:
			t.Fatalf("%s ended: %s", b.name, cmd.ProcessState)
		case <-late:
			t.Fatalf("%s does not listen: %v", b.name, err)
		}
	}
}

// find looks where Debian has servers as well, which is not on every PATH.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return exec.LookPath("/usr/sbin/" + name)
	}
	return path, nil
}

func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
