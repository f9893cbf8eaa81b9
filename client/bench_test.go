package client_test

import (
	"testing"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
)

// BenchmarkCall is one round trip, client and server in one process.
func BenchmarkCall(b *testing.B) {
	_, url := startServer(b, node.Config{}, echoServer)
	for _, transport := range []client.Transport{client.Polling, client.WebSocket} {
		b.Run(string(transport), func(b *testing.B) {
			c := dial(b, url, client.Config{Transports: []client.Transport{transport}})
			s := connect(b, c, "/", nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Call[string](b.Context(), s, "echo", "hello"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
