package archtest

// layer says what the packages of one place in the drawing may depend on, by
// themselves and through others. Only files that are not tests count: a test
// may put any two packages together.
type layer struct {
	subject string
	ours    []string // the packages of this module that they may depend on
	never   []string // other packages that they must not depend on
	stdOnly bool     // nothing from outside the standard library and this module
	why     string
}

// io is what a pure package must not touch.
var io = []string{"net/...", "os/...", "syscall/...", "log/...", "crypto/tls/...", "golang.org/x/sys/..."}

// flags and files of configuration are read by commands alone.
var configuration = []string{"github.com/knadh/koanf/...", "github.com/spf13/pflag/...", "flag", "net/http/pprof", "expvar"}

var layers = []layer{
	{
		subject: "protocol/...",
		ours:    []string{"protocol/...", "internal/..."},
		never:   append([]string{"github.com/gobwas/...", "github.com/prometheus/..."}, io...),
		why:     "protocol is bytes in, values out: without I/O every decoder can be fuzzed and every rule tested by a table",
	},
	{
		subject: "protocol/engineio",
		ours:    []string{"internal/..."},
		never:   io,
		stdOnly: true,
		why:     "the lowest layer knows nothing of what it carries and needs nothing but the standard library",
	},
	{
		subject: "transport",
		ours:    []string{"protocol/...", "internal/..."},
		never:   configuration,
		why:     "sessions must be usable and testable without rooms, nodes or a cluster; the second transport engine depends on this border",
	},
	{
		subject: "transport/forward",
		ours:    []string{"transport", "membership", "protocol/...", "internal/..."},
		never:   append([]string{"github.com/gobwas/..."}, configuration...),
		why:     "a request is passed to the node that the membership names, whatever it carries: it is read by its home alone",
	},
	{
		subject: "backplane",
		ours:    []string{"protocol/...", "internal/..."},
		never:   append([]string{"net/http", "github.com/gobwas/..."}, configuration...),
		why:     "the interface between nodes is what every implementation, the emitter and the worker share; it must not pull in any of them",
	},
	{
		subject: "backplane/...",
		ours:    []string{"backplane/...", "membership", "protocol/...", "internal/..."},
		never:   configuration,
		why:     "an implementation moves envelopes, and knows of the others only who must answer; it must not know who reads them",
	},
	{
		subject: "backplane/wire",
		ours:    []string{"backplane", "protocol/...", "internal/..."},
		never:   io,
		stdOnly: true,
		why:     "the codec of envelopes reads what anybody may have sent: without I/O and without others' code all of it can be fuzzed",
	},
	{
		subject: "backplane/subject",
		ours:    []string{"backplane", "protocol/...", "internal/..."},
		never:   io,
		stdOnly: true,
		why:     "every subject is built in one place, by values alone, for nodes as for processes that are none",
	},
	{
		subject: "membership",
		ours:    []string{"internal/..."},
		never:   configuration,
		why:     "who is alive is a question without sockets, rooms or messages",
	},
	{
		subject: "membership/...",
		ours:    []string{"membership/...", "internal/..."},
		never:   configuration,
		why:     "an implementation tells who is alive and nothing else",
	},
	{
		subject: "node/internal/resume",
		ours:    []string{"backplane", "protocol/..."},
		never:   append([]string{"sync/...", "context"}, io...),
		why:     "whether a client recovered is decided by values alone, so that every case can be written down as a script and tried against a model",
	},
	{
		subject: "node/...",
		ours:    []string{"node/...", "protocol/...", "transport", "backplane", "membership", "internal/..."},
		never:   append([]string{"github.com/gobwas/..."}, configuration...),
		why:     "the node sees the backplane and the membership by their interfaces only, so that a cluster is another implementation and never another code path",
	},
	{
		subject: "emitter",
		ours:    []string{"backplane", "backplane/subject", "backplane/wire", "protocol/...", "internal/..."},
		never:   append([]string{"net/http"}, configuration...),
		why:     "a process that only sends must not carry a server",
	},
	{
		subject: "worker",
		ours:    []string{"emitter", "backplane", "backplane/subject", "backplane/wire", "protocol/...", "internal/..."},
		never:   append([]string{"net/http"}, configuration...),
		why:     "a process that only handles events must not carry a server",
	},
	{
		subject: "client",
		ours:    []string{"protocol/...", "internal/..."},
		never:   configuration,
		why:     "a client that shared code with the server above the protocol would share its mistakes",
	},
}

// keeper says which packages alone may import a package, tests included.
type keeper struct {
	imported string
	only     []string
	why      string
}

var keepers = []keeper{
	{
		imported: "github.com/nats-io/nats.go/...",
		only:     []string{"backplane/natsio", "backplane/embedded", "emitter", "worker", "cmd/...", "internal/cluster", "test/kill", "test/cluster"},
		why:      "NATS is one backplane among several; its types must not spread beyond the places that compose programs",
	},
	{
		imported: "github.com/nats-io/nats-server/...",
		only:     []string{"backplane/embedded"},
		why:      "a build that uses an external NATS must be able to leave the server out",
	},
	{
		imported: "github.com/hashicorp/memberlist/...",
		only:     []string{"membership/gossip"},
		why:      "gossip is a hint from one implementation; delivery must not depend on it",
	},
	{
		imported: "go.opentelemetry.io/otel/sdk/...",
		only:     []string{"cmd/..."},
		why:      "libraries use the tracing API; which exporter runs is the program's choice",
	},
	{
		imported: "github.com/knadh/koanf/...",
		only:     []string{"internal/config"},
		why:      "how a setting is read is decided in one place; everybody else gets a plain struct",
	},
	{
		imported: module + "/internal/config",
		only:     []string{"cmd/...", "loadtest/target", "internal/daemon", "internal/config"},
		why:      "a library is configured by its caller, never by a file or the environment",
	},
	{
		imported: module + "/internal/cluster",
		only:     []string{"cmd/...", "loadtest/target", "internal/daemon", "internal/config", "internal/metrics", "internal/cluster"},
		why:      "which parts make a cluster is a program's choice: a library would carry gossip and a NATS server wherever it goes",
	},
	{
		imported: module + "/internal/daemon",
		only:     []string{"cmd/...", "loadtest/target", "internal/daemon"},
		why:      "what makes a process of a server must not be needed to use one",
	},
	{
		imported: module + "/cmd/...",
		only:     []string{"cmd/..."},
		why:      "commands wire values together at the very top; what two of them share belongs below",
	},
	{
		imported: module + "/test/...",
		only:     []string{"test/..."},
		why:      "what only tests need must not reach a binary",
	},
}

// testOnly packages are imported by tests, and by the packages named below that
// exist for tests.
var testOnly = []string{
	"testing/...",
	"github.com/rogpeppe/go-internal/...",
	"go.uber.org/goleak/...",
	"pgregory.net/rapid/...",
	"github.com/google/go-cmp/...",
	"github.com/cockroachdb/datadriven/...",
}

var forTests = []string{"backplane/backplanetest", "membership/membershiptest", "internal/testaddr", "internal/testclient", "internal/testlog", "test/..."}

// planned packages are named by a rule and do not exist yet. One that exists
// has to leave this list, so that a rule whose subject vanished later fails.
var planned = []string{
	"emitter",
	"worker",
}
