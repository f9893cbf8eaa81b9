package readme

import (
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/siod-io/siod/examples/chat"
	"github.com/siod-io/siod/internal/testaddr"
	"github.com/siod-io/siod/internal/testclient"
	"github.com/siod-io/siod/test/internal/nodejs"
)

// TestThreeNodes runs the three commands of README.md that make a cluster, each
// with free ports for those that stand there, and chats from the first to the
// last.
func TestThreeNodes(t *testing.T) {
	var lines []string
	for _, b := range readme(t).blocks {
		if strings.Contains(b.code, "--gossip-listen") {
			lines = strings.Split(strings.TrimSpace(b.code), "\n")
		}
	}
	if len(lines) != 3 {
		t.Fatalf("README.md makes a cluster of %d commands", len(lines))
	}
	free := map[string]string{} // instead of an address, the same in all commands
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	var nodes []*process
	for _, line := range lines {
		line = address.ReplaceAllStringFunc(line, func(a string) string {
			if free[a] == "" {
				free[a] = testaddr.Free(t)
			}
			return free[a]
		})
		cmd := exec.Command("sh", "-c", "exec "+line)
		cmd.Dir = root
		// The first one's own addresses are the defaults.
		nodes = append(nodes, start(t, cmd, "SIOD_CLUSTER_SECRET=sixteen-letters-or-more", "SIOD_LISTEN=127.0.0.1:0", "SIOD_INTERNAL_LISTEN=127.0.0.1:0"))
	}
	var urls []string
	for _, p := range nodes {
		urls = append(urls, p.await(`^  demo +(http://127\.0\.0\.1:\d+)/ `)[1])
	}
	chatAcross(t, urls[0], urls[2])
}

// chatAcross has Ada say something at one address that Bob hears at another.
func chatAcross(t *testing.T, one, other string) {
	t.Helper()
	_, ada := testclient.Connect(t, one, "/", map[string]string{"name": "Ada"})
	_, bob := testclient.Connect(t, other, "/", map[string]string{"name": "Bob"})
	got := testclient.Events(bob, "message")
	testclient.Call[chat.Joined](t, bob, "join", "lobby")
	testclient.Call[chat.Joined](t, ada, "join", "lobby")
	testclient.Call[chat.Receipt](t, ada, "message", "hello")
	if m := testclient.Next1[chat.Message](t, got); m.Text != "hello" || m.From.Name != "Ada" {
		t.Errorf("Bob got %+v", m)
	}
}

// TestMakeCluster runs the target with other ports, and chats through its
// balancer.
func TestMakeCluster(t *testing.T) {
	nodejs.Setup(t, "balancers")
	base := freeBase(t)
	cmd := exec.Command("make", "-s", "-C", root, "cluster", fmt.Sprintf("BASE=%d", base))
	p := start(t, cmd)
	url := p.await(`^cluster: the chat is at (http://127\.0\.0\.1:\d+)/,`)[1]
	listening(t, strings.TrimPrefix(url, "http://"))
	chatAcross(t, url, url)
}

// freeBase is a number from which on the ports that the target uses are free.
func freeBase(t *testing.T) int {
	t.Helper()
next:
	for base := 20_000; base < 32_000; base += 40 {
		for n := range 33 {
			ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+n))
			if err != nil {
				continue next
			}
			ln.Close()
		}
		return base
	}
	t.Fatal("no ports are free")
	return 0
}
