package subject_test

import (
	"fmt"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
)

func Example() {
	space, err := subject.New("siod")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, to := range []backplane.Address{
		backplane.Room("/chat", "lobby"),
		backplane.Room("/chat", "a room.*"),
		backplane.Socket("/chat", "tokenA0123456789"),
		backplane.Namespace("/chat"),
	} {
		s, err := space.Fast(to)
		fmt.Println(s, err)
	}
	home, _, err := space.Subscribe(backplane.Home("tokenA"))
	fmt.Println(home, err)
	// Output:
	// sio.siod.f.nchat.dJ.plobby <nil>
	// sio.siod.f.nchat.PV.bYSByb29tLio <nil>
	// sio.siod.f.nchat.s.ptokenA.ptokenA0123456789 <nil>
	// sio.siod.f.nchat.all <nil>
	// sio.siod.f.*.s.ptokenA.* <nil>
}

// A subject says where a message was published. Long names are hashed: the
// message has to bring them, and they are compared.
func ExampleParsed_Address() {
	space, err := subject.New("siod")
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := space.Parse("sio.siod.h.nchat.bbmV3IG9yZGVy")
	if err != nil {
		fmt.Println(err)
		return
	}
	to, err := p.Address("", "")
	fmt.Println(p.Class, to, err)
	// Output:
	// worker worker("/chat", "new order") <nil>
}
