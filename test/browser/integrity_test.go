package browser

import (
	"crypto/sha512"
	"encoding/base64"
	"os"
	"testing"

	"github.com/siod-io/siod/examples/chat"
	"github.com/siod-io/siod/test/internal/nodejs"
)

// The digest that the demo's page names is that of the file in the npm package,
// which the network of caches serves.
func TestIntegrity(t *testing.T) {
	nodejs.Setup(t, "browser")
	file, err := os.ReadFile("../interop/node_modules/client-" + chat.ClientVersion + "/dist/socket.io.min.js")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum384(file)
	if got := "sha384-" + base64.StdEncoding.EncodeToString(sum[:]); got != chat.ClientIntegrity {
		t.Errorf("the file's digest is %s, the page names %s", got, chat.ClientIntegrity)
	}
}
