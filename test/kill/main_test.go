package kill

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	kills        = flag.Int("kills", 3, "servers to kill")
	seed         = flag.Uint64("seed", 0, "seed of the plan; 0 draws one")
	faultsFor    = flag.Duration("faults", 5*time.Second, "how long TestFaults makes each kind of fault")
	stormClients = flag.Int("storm", 100, "clients of TestStorm")
	outside      = flag.Int("nats", 0, "NATS servers outside, 1 or 3, that store; 0: those within the servers")
	servers      = flag.Int("servers", 3, "server processes, three of which store")
	clients      = flag.Int("clients", 24, "clients of socket.io-client 4.8.4")
	goClients    = flag.Int("go-clients", 6, "clients of package client")
	roomCount    = flag.Int("rooms", 12, "rooms")
	rate         = flag.Float64("rate", 60, "durable emits a second, of all servers together")
	changes      = flag.Float64("changes", 10, "joins and leaves a second, of all clients together")
	window       = flag.Duration("window", 20*time.Second, "how long a session waits for its client")
)

func TestMain(m *testing.M) {
	if config := os.Getenv(serverEnv); config != "" {
		if err := serve(config, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
