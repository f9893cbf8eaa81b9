package subject

import (
	"errors"
	"fmt"
	"strconv"
)

const (
	// MaxLen is above the length of every subject made here.
	MaxLen = 512

	// MaxCluster is the length of the longest cluster name.
	MaxCluster = 32

	// Queue is the queue group of the addresses that reach one subscriber.
	Queue = "sio"
)

var (
	// ErrCluster: a name that no cluster can have.
	ErrCluster = errors.New("subject: bad name of a cluster")

	// ErrUnknown: not a subject of this cluster that this version knows.
	ErrUnknown = errors.New("subject: unknown subject")

	// ErrForged: the names given do not belong to the subject.
	ErrForged = errors.New("subject: other names than those of the subject")
)

// Space is the subjects of one cluster. Two clusters on one NATS have no
// subject and no stream in common. Its zero value is not usable.
type Space struct {
	cluster string
	prefix  string // "sio.<c>."
}

// New returns the subjects of a cluster. Its name has 1 to [MaxCluster] of the
// characters A-Z a-z 0-9 - _; it stands in subjects and streams as it is, since
// operators write permissions with it.
//
// Errors: [ErrCluster], wrapped.
func New(cluster string) (Space, error) {
	if cluster == "" || len(cluster) > MaxCluster || !isPlain(cluster) {
		return Space{}, fmt.Errorf("%w: %.40q has to be 1 to %d of the characters A-Z a-z 0-9 - _", ErrCluster, cluster, MaxCluster)
	}
	return Space{cluster: cluster, prefix: "sio." + cluster + "."}, nil
}

// Cluster returns the name given to New.
func (s Space) Cluster() string { return s.cluster }

// All matches every subject of the cluster except inboxes. It is for
// permissions.
func (s Space) All() string { return s.prefix + ">" }

// LogStream is the name of the stream that stores a log.
func (s Space) LogStream(log int) string { return "sio_" + s.cluster + "_log" + strconv.Itoa(log) }

// SessionStream is the name of the stream that stores journals and owners.
func (s Space) SessionStream() string { return "sio_" + s.cluster + "_ses" }
