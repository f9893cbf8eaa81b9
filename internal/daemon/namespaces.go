package daemon

import (
	"regexp"
	"strings"

	"github.com/siod-io/siod/node"
)

// Namespaces creates what the setting namespaces lists, and calls each for
// every entry: a namespace, or the stand-in for all that begin alike.
func Namespaces(srv *node.Server, names []string, each func(*node.Namespace)) {
	for _, name := range names {
		if begin, ok := strings.CutSuffix(name, "*"); ok {
			each(srv.OfPattern(regexp.MustCompile(`(?s)` + regexp.QuoteMeta(begin) + `.*`)).Namespace)
		} else {
			each(srv.Of(name))
		}
	}
}
