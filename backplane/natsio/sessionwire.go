package natsio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/siod-io/siod/backplane"
)

// Messages of the store have a version byte and then the wire form of protocol
// buffers, so that later versions can add fields. Those not known are skipped.
//
//	message Journal {           // some sessions of one home
//	  string home = 1;          // boot id
//	  uint64 number = 2;        // of the message, among those of its home
//	  repeated Record records = 3;
//	}
//	message Record {
//	  bytes own_pid = 1;        // what follows "<home>." in the private id
//	  bytes pid = 2;            // a private id that begins otherwise
//	  uint64 generation = 3;
//	  bytes state = 4;
//	  bool ended = 5;
//	}
//	message Owner {
//	  bytes pid = 1;
//	  string node = 2;          // boot id
//	  uint64 generation = 3;
//	  string claim = 4;         // which claim it comes from; empty after a renewal
//	}
const sessionVersion = 1

const (
	journalHome = iota + 1
	journalNumber
	journalRecord
)

const (
	recordOwnPID = iota + 1
	recordPID
	recordGeneration
	recordState
	recordEnded
)

const (
	ownerPID = iota + 1
	ownerNode
	ownerGeneration
	ownerClaim
)

var errSessionMessage = errors.New("natsio: malformed session message")

// Wire types of protocol buffers.
const (
	pbNumber  = 0
	pbFixed64 = 1
	pbBytes   = 2
	pbFixed32 = 5
)

func appendNumber(dst []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(field<<3|pbNumber)), v)
}

func appendField[S string | []byte](dst []byte, field int, v S) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(field<<3|pbBytes)), uint64(len(v)))
	return append(dst, v...)
}

// appendJournal begins a message of a journal, to which appendRecord adds.
func appendJournal(dst []byte, home string, number uint64) []byte {
	dst = appendField(append(dst, sessionVersion), journalHome, home)
	return appendNumber(dst, journalNumber, number)
}

// appendRecord adds a record to a message of a home.
func appendRecord(dst []byte, home string, r backplane.SessionRecord) []byte {
	var buf [128]byte
	b := buf[:0]
	if own, ok := ownPID(home, r.PID); ok {
		b = appendField(b, recordOwnPID, own)
	} else {
		b = appendField(b, recordPID, r.PID)
	}
	if r.Generation > 0 {
		b = appendNumber(b, recordGeneration, r.Generation)
	}
	if r.State == nil {
		b = appendNumber(b, recordEnded, 1)
	} else { // not copied twice
		b = binary.AppendUvarint(binary.AppendUvarint(b, recordState<<3|pbBytes), uint64(len(r.State)))
	}
	dst = binary.AppendUvarint(dst, journalRecord<<3|pbBytes)
	dst = binary.AppendUvarint(dst, uint64(len(b)+len(r.State)))
	return append(append(dst, b...), r.State...)
}

// recordOverhead is the most that appendRecord adds to a private id and a state.
const recordOverhead = 32

// ownPID returns what follows the home in a private id that begins with it.
func ownPID(home, pid string) (string, bool) {
	rest, ok := strings.CutPrefix(pid, home)
	if !ok || rest == "" || rest[0] != '.' {
		return "", false
	}
	return rest[1:], true
}

// appendOwner makes the message of an owner record.
func appendOwner(dst []byte, o backplane.Owner, claim string) []byte {
	dst = appendField(append(dst, sessionVersion), ownerPID, o.PID)
	dst = appendField(dst, ownerNode, o.Node)
	dst = appendNumber(dst, ownerGeneration, o.Generation)
	if claim != "" {
		dst = appendField(dst, ownerClaim, claim)
	}
	return dst
}

// fields calls take for each field of a message, with its number or its bytes.
// It returns an error if the message is malformed or take says so.
func fields(data []byte, take func(field, number uint64, value []byte) bool) error {
	for at := 0; at < len(data); {
		bad := func(what string) error { return fmt.Errorf("%w: %s at byte %d", errSessionMessage, what, at) }
		key, n := binary.Uvarint(data[at:])
		if n <= 0 || key>>3 == 0 {
			return bad("no field")
		}
		at += n
		var number uint64
		var value []byte
		switch key & 7 {
		case pbNumber:
			if number, n = binary.Uvarint(data[at:]); n <= 0 {
				return bad("unfinished number")
			}
			at += n
		case pbBytes:
			size, n := binary.Uvarint(data[at:])
			if n <= 0 || size > uint64(len(data)-at-n) {
				return bad("length beyond the end")
			}
			at += n
			end := at + int(size)
			value = data[at:end:end]
			at = end
		case pbFixed64, pbFixed32:
			n := 8
			if key&7 == pbFixed32 {
				n = 4
			}
			if n > len(data)-at {
				return bad("unfinished number")
			}
			at += n
			continue // none is known
		default:
			return bad("refused wire type")
		}
		if !take(key>>3, number, value) {
			return bad("value that is not allowed")
		}
	}
	return nil
}

// body returns what follows the version.
func body(data []byte) ([]byte, error) {
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("%w: empty", errSessionMessage)
	case data[0] != sessionVersion:
		return nil, fmt.Errorf("natsio: session message of version %d, this node knows %d", data[0], sessionVersion)
	}
	return data[1:], nil
}

// readJournal reads a message of a journal. begin gets its home and number and
// says whether the records are wanted; each gets them in order. Their states are
// parts of data. After an error, some may have been given.
func readJournal(data []byte, l backplane.Limits, begin func(home string, number uint64) bool, each func(backplane.SessionRecord)) error {
	data, err := body(data)
	if err != nil {
		return err
	}
	var home string
	var number uint64
	var begun, wanted bool
	var bad error // of a record
	err = fields(data, func(field, n uint64, value []byte) bool {
		switch field {
		case journalHome:
			home = string(value)
			return !begun && value != nil && len(value) <= backplane.MaxID
		case journalNumber:
			number = n
			return !begun && value == nil
		case journalRecord:
			if !begun {
				begun, wanted = true, begin(home, number)
			}
			if !wanted {
				return true
			}
			var r backplane.SessionRecord
			if r, bad = readRecord(value, home, l); bad == nil {
				each(r)
			}
			return bad == nil
		}
		return true
	})
	if bad != nil {
		return bad
	}
	return err
}

func readRecord(data []byte, home string, l backplane.Limits) (r backplane.SessionRecord, err error) {
	var named, ended bool
	err = fields(data, func(field, n uint64, value []byte) bool {
		number := value == nil
		switch field {
		case recordOwnPID:
			r.PID = home + "." + string(value)
			ok := !named && !number
			named = true
			return ok
		case recordPID:
			r.PID = string(value)
			ok := !named && !number
			named = true
			return ok
		case recordGeneration:
			r.Generation = n
			return number
		case recordState:
			r.State = value
			return !number
		case recordEnded:
			ended = n != 0
			return number
		}
		return true
	})
	switch {
	case err != nil:
		return r, err
	case !named || ended == (r.State != nil):
		return r, fmt.Errorf("%w: a record without a private id, or neither with a state nor ended", errSessionMessage)
	}
	return r, l.CheckSession(r)
}

// readOwner reads an owner record, without its revision.
func readOwner(data []byte) (o backplane.Owner, claim string, err error) {
	data, err = body(data)
	if err != nil {
		return o, "", err
	}
	var named bool
	err = fields(data, func(field, n uint64, value []byte) bool {
		number := value == nil
		switch field {
		case ownerPID:
			o.PID, named = string(value), true
			return !number && len(value) <= backplane.MaxKey
		case ownerNode:
			o.Node = string(value)
			return !number && len(value) <= backplane.MaxID
		case ownerGeneration:
			o.Generation = n
			return number
		case ownerClaim:
			claim = string(value)
			return !number
		}
		return true
	})
	if err == nil && (!named || o.Node == "" || o.Generation == 0) {
		err = fmt.Errorf("%w: an owner record without a session, node or generation", errSessionMessage)
	}
	return o, claim, err
}
