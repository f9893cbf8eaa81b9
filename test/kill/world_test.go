package kill

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/natsserver"
)

// world is the cluster with its clients.
type world struct {
	t      *testing.T
	seed   uint64
	rand   *rand.Rand // of the plan: of what is killed
	model  *model
	window time.Duration
	peers  []*peer
	js     []*jsProcess

	mu    sync.Mutex
	boots []*process // by server: the latest one
	ends  []*process // all that there were
	log   []entry

	begun   time.Time
	kills   int
	leaders int           // of these, of the log
	mended  time.Duration // the longest time from a kill until all is as before
	stats   []string      // of boots, before they were killed
	filled  uint64        // entries that did not come to a boot by themselves
	twice   uint64        // acknowledgements that said that an entry was stored already

	hosts   *hosts // of the servers; nil: loopback is all there is
	outside []*natsserver.Server
}

// patience bounds every wait; none waits it out.
const patience = 90 * time.Second

// newWorld starts servers, each on a host if there are any, with their stores
// in dir, and clients.
func newWorld(t *testing.T, dir string, h *hosts) *world {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("seed %d", s)
	w := &world{t: t, seed: s, rand: rand.New(rand.NewPCG(s, 1)), model: newModel(), window: *window, boots: make([]*process, *servers), hosts: h}
	t.Cleanup(func() {
		for _, p := range w.living() {
			p.kill()
		}
	})
	if *outside > 0 {
		w.outside = natsserver.Start(t, natsserver.Build(t), w.places()...)
	}
	for i := range w.boots {
		w.launch(i, dir)
	}
	for i := range w.boots {
		w.await("the servers to start", i)
	}
	w.begun = time.Now()
	for i := range *goClients {
		w.peers = append(w.peers, w.goPeer(i))
	}
	// A process of clients is one thread.
	for first, left := *goClients, *clients; left > 0; {
		n := min(left, 150)
		w.peers = append(w.peers, w.jsPeers(first, n)...)
		first, left = first+n, left-n
	}
	w.until("all clients to connect", w.allBack)
	return w
}

// launch starts server i, as a new boot of its name and with its store, and
// waits until it gossips.
func (w *world) launch(i int, dir string) {
	w.t.Helper()
	name := fmt.Sprintf("server-%d", i)
	s := settings{
		Name: name, Store: i < 3, Dir: filepath.Join(dir, name), Window: w.window, Rooms: *roomCount,
		// One of them is down for some of the time.
		Rate: 1.15 * *rate / float64(*servers),
	}
	if w.hosts != nil && w.hosts.disks {
		s.MaxBytes = diskSize / 4 // a server takes three quarters at most, for both streams
	}
	if len(w.outside) > 0 {
		s.NATS, s.Store, s.Replicas = natsserver.URL(w.outside), false, len(w.outside)
	}
	for _, p := range w.living() {
		s.Join = append(s.Join, *p.gossip.Load())
	}
	host := ""
	if w.hosts != nil {
		host = hostName(i)
		s.Gossip, s.Routes = address(clusterNet, i, gossipPort), address(clusterNet, i, routesPort)
		s.Clients = address(clientNet, i, clientPort)
	}
	p, err := launch(s, host, w.heard)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.boots[i] = p
	w.ends = append(w.ends, p)
	w.mu.Unlock()
	w.reached(p, "gossip", p.gossips)
}

// places are where NATS servers outside are: behind the servers, if there are
// hosts.
func (w *world) places() []natsserver.Place {
	if w.hosts == nil {
		return natsserver.Loopback(w.t, *outside)
	}
	places := make([]natsserver.Place, *outside)
	for n := range places {
		i := len(w.boots) + n
		places[n] = natsserver.Place{
			Clients: address(clusterNet, i, natsPort), Routes: address(clusterNet, i, routesPort),
			Via: []string{"ip", "netns", "exec", hostName(i)},
		}
	}
	return places
}

// await waits until server i takes clients.
func (w *world) await(what string, i int) {
	w.t.Helper()
	p := w.boot(i)
	w.reached(p, what, p.listens)
	list := w.addresses()
	for _, j := range w.js {
		j.tell("addresses", list)
	}
}

// reached waits for something that a process does at its start.
func (w *world) reached(p *process, what string, done <-chan struct{}) {
	w.t.Helper()
	select {
	case <-done:
		return
	case <-p.ended:
		w.t.Fatalf("seed %d: %s ended:\n%s", w.seed, p.name, p.complaints(40))
	case <-time.After(patience):
		w.t.Fatalf("seed %d: %s: waited %v for %s:\n%s", w.seed, p.name, patience, what, p.complaints(40))
	}
}

func (w *world) boot(i int) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.boots[i]
}

// living lists the processes that gossip.
func (w *world) living() []*process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.boots), func(p *process) bool {
		return p == nil || p.gone() || p.gossip.Load() == nil
	})
}

// addresses are those that a client may try: of a server that was killed it is
// the one that it had, as long as there is no other.
func (w *world) addresses() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, p := range w.boots {
		for _, old := range slices.Backward(w.ends) {
			if old.name == p.name && old.addr.Load() != nil {
				list = append(list, *old.addr.Load())
				break
			}
		}
	}
	return list
}

// heard takes a line of a server.
func (w *world) heard(p *process, line []json.RawMessage) error {
	switch what := word(line, 0); what {
	case "entry":
		w.mu.Lock()
		w.log = append(w.log, entry{number(line, 1), word(line, 2), word(line, 3)})
		w.mu.Unlock()
	default:
		w.model.outcome(p.id, what, word(line, 1), number(line, 2), word(line, 3))
	}
	return nil
}

// until waits for what can only be looked at.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			w.complain()
			w.t.Fatalf("seed %d: waited %v for %s; not there are %q", w.seed, patience, what, w.who())
		}
	}
}

// who lists the clients that are not there.
func (w *world) who() (list []string) {
	for _, p := range w.peers {
		p.mu.Lock()
		if !p.up || p.open != nil {
			list = append(list, fmt.Sprintf("%d (%s): connected %v for %v, a change open %v, control %v", p.index, p.kind, p.up, time.Since(p.since), p.open != nil, p.control))
		}
		p.mu.Unlock()
	}
	return list
}

func (w *world) allBack() bool {
	return !slices.ContainsFunc(w.peers, func(p *peer) bool { return !p.isBack() })
}

// pause waits for d, or until stop.
func pause(stop <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}

// changeRooms has clients join and leave.
func (w *world) changeRooms(stop <-chan struct{}) {
	next := time.Now()
	for pause(stop, time.Until(next)) {
		next = next.Add(time.Duration(float64(time.Second) / *changes))
		for range len(w.peers) { // until one can
			if w.peers[rand.IntN(len(w.peers))].change(rand.IntN, *roomCount) {
				break
			}
		}
	}
}

// sendAway has clients lose their connections for a part of the window.
func (w *world) sendAway(stop <-chan struct{}) {
	for pause(stop, time.Second) {
		w.peers[rand.IntN(len(w.peers))].stay(rand.N(w.window/4), false)
	}
}

// sendFarAway has a client stay away until its session is over, again and again.
func (w *world) sendFarAway(stop <-chan struct{}, p *peer) {
	for pause(stop, 2*time.Second) {
		p.stay(w.window+w.window/4+3*time.Second, true) // unless it is away
	}
}

// killOne ends a server without a word and starts it again. Everybody is
// connected when it begins and when it ends.
func (w *world) killOne(dir string) {
	w.t.Helper()
	pause(nil, time.Second+time.Duration(w.rand.Int64N(int64(time.Second))))
	i := w.rand.IntN(len(w.boots))
	leader := strings.TrimPrefix(w.leader(), "server-")
	if w.kills == 0 || w.rand.IntN(3) == 0 {
		_, _ = fmt.Sscan(leader, &i)
	}
	if fmt.Sprint(i) == leader {
		w.leaders++
	}
	w.replace(i, dir, fmt.Sprint(i) == leader)
}

// replace ends a server without a word, and starts it again.
func (w *world) replace(i int, dir string, leads bool) {
	w.t.Helper()
	w.kills++
	p := w.boot(i)
	w.note(p)
	p.kill()
	begun := time.Now()
	since := func() time.Duration { return time.Since(begun).Round(time.Millisecond) }
	pause(nil, time.Duration(w.rand.Int64N(int64(2*time.Second))))
	w.launch(i, dir)
	started := since()
	w.await("its clients", i)
	serving := since()
	w.reached(w.boot(i), "an event to be acknowledged", w.boot(i).acked)
	emitting := since()
	w.until("all clients to be back", w.allBack)
	w.mended = max(w.mended, since())
	w.t.Logf("kill %d: %s, leader %v: started again after %v, served after %v, emitted after %v, all clients back after %v",
		w.kills, p.name, leads, started, serving, emitting, since())
}

// leader is the name of the server that leads the log.
func (w *world) leader() string {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, p := range w.living() {
			if name := word(p.ask("leader"), 1); name != "" {
				return name
			}
		}
	}
	return ""
}

// note keeps the figures of a boot.
func (w *world) note(p *process) {
	if line := p.ask("stats"); len(line) > 1 {
		w.stats = append(w.stats, fmt.Sprintf("%s: %s", p.name, line[1]))
		var st struct {
			Log struct{ Filled, Duplicates uint64 }
		}
		if err := json.Unmarshal(line[1], &st); err != nil {
			w.t.Error(err)
		}
		w.filled, w.twice = w.filled+st.Log.Filled, w.twice+st.Log.Duplicates
	}
}

// complain logs what servers said last.
func (w *world) complain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.ends {
		if text := p.complaints(15); text != "" {
			w.t.Logf("%s said last:\n%s", p.name, text)
		}
	}
}
