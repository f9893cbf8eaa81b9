package transport

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/protocol/engineio"
)

// TestLifecycleProperties feeds any events at all, at any times, to a session.
// The shell asks less of the machine; what holds here holds there.
func TestLifecycleProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := lifecycleWatch{T: t}
		tm := &timing{interval: 25 * time.Second, timeout: 20 * time.Second, linger: 30 * time.Second}
		rev := rapid.SampledFrom([]engineio.Revision{engineio.V3, engineio.V4}).Draw(t, "rev")
		w.l.start(rev, rapid.Bool().Draw(t, "websocket"), tm, 0, 0.95)
		for range rapid.IntRange(1, 60).Draw(t, "length") {
			w.now += rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, time.Second, 20 * time.Second, 50 * time.Second}).Draw(t, "pass")
			if rapid.IntRange(0, 3).Draw(t, "due") == 0 && w.l.due > w.now {
				w.now = w.l.due
			}
			w.step(event(rapid.IntRange(0, int(eventCount)-1).Draw(t, "event")))
		}
	})
}

// lifecycleWatch is a machine and what is known about it from outside.
type lifecycleWatch struct {
	*rapid.T
	l                 lifecycle
	now               time.Duration
	get               bool // a poll was accepted and is not answered yet
	post              bool // the same of a POST
	notified, removed int
}

func (w *lifecycleWatch) step(ev event) {
	w.l.queued = rapid.Bool().Draw(w.T, "queued")
	before := w.l
	act := w.l.step(ev, w.now, "")
	w.Logf("%v %s: %v", w.now, eventNames[ev], act)
	w.checkGet(ev, &before, act)
	w.checkPost(ev, act)
	w.checkEnd(&before, act)
	w.checkTransport(&before, act)
	if ev == evTimer && before.due != 0 && w.now >= before.due && w.l.due != 0 && w.l.due <= w.now {
		w.Fatalf("the timer was served and is still due: %v", w.l.due)
	}
}

func (w *lifecycleWatch) checkGet(ev event, before *lifecycle, act actions) {
	const answers = actAnswerNoop | actAnswerClose | actAnswerReject
	switch {
	case ev == evGet && act&actReject == 0:
		if w.get {
			w.Fatal("two polls were accepted at once")
		}
		w.get = true
	case ev == evGetEnd || ev == evGetAbort:
		w.get = false
	}
	if w.l.get != w.get {
		w.Fatalf("get is %v, and a poll is pending: %v", w.l.get, w.get)
	}
	if act&answers != 0 && !w.get && !before.get {
		w.Fatal("a poll is answered that is not there")
	}
	if act&actHoldGet != 0 && ev != evGet {
		w.Fatal("a poll is held that did not just come")
	}
	if w.get && before.phase != phaseClosed && w.l.phase == phaseClosed && act&answers == 0 {
		w.Fatal("the session is over and leaves a poll waiting")
	}
}

func (w *lifecycleWatch) checkPost(ev event, act actions) {
	switch {
	case ev == evPost && act&actReject == 0:
		if w.post {
			w.Fatal("two POSTs were accepted at once")
		}
		w.post = true
	case ev == evPostEnd:
		w.post = false
	}
}

func (w *lifecycleWatch) checkEnd(before *lifecycle, act actions) {
	if act&actNotify != 0 {
		w.notified++
	}
	if act&actRemove != 0 {
		w.removed++
	}
	l := &w.l
	switch {
	case w.notified > 1 || w.removed > 1 || w.removed > w.notified:
		w.Fatalf("notified %d times, removed %d times", w.notified, w.removed)
	case (l.phase != phaseOpen) != (w.notified == 1):
		w.Fatalf("phase %d, notified %d times", l.phase, w.notified)
	case (l.phase == phaseClosed) != (w.removed == 1):
		w.Fatalf("phase %d, removed %d times", l.phase, w.removed)
	case (l.phase != phaseOpen) != (l.reason != ""):
		w.Fatalf("phase %d, reason %q", l.phase, l.reason)
	case before.reason != "" && l.reason != before.reason:
		w.Fatalf("the reason changed from %q to %q", before.reason, l.reason)
	case (l.phase == phaseClosed) != (l.due == 0):
		w.Fatalf("phase %d, due %v", l.phase, l.due)
	case l.phase < before.phase:
		w.Fatal("a session came back to life")
	case before.phase == phaseClosed && act&^(actReject|actTryAgain) != 0:
		w.Fatalf("a session that is over does something: %v", act)
	}
}

func (w *lifecycleWatch) checkTransport(before *lifecycle, act actions) {
	l := &w.l
	switch {
	case act&actSwitch != 0 && (before.websocket || before.probe != probeConfirmed || !l.websocket):
		w.Fatal("switched without a confirmed probe")
	case before.websocket && !l.websocket:
		w.Fatal("back to polling")
	case act&(actFinishSocket|actCloseSocket) != 0 && !before.websocket:
		w.Fatal("a WebSocket is closed that is not there")
	case act&actDropProbe != 0 && (before.probe == probeNone || l.probe != probeNone):
		w.Fatal("a probe is dropped that is not there, or still is")
	case act&actArmUpgrade != 0 && (before.websocket || before.probe != probeNone):
		w.Fatal("an upgrade begins in the middle of something")
	case l.probe != probeNone && (l.websocket || l.phase != phaseOpen):
		w.Fatal("a probe without a polling session")
	case act&actPing != 0 && l.rev != engineio.V4 || act&actPong != 0 && l.rev != engineio.V3:
		w.Fatal("a heartbeat in the wrong direction")
	}
}
