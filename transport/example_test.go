package transport_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/siod-io/siod/transport"
)

// echo sends every message back.
type echo struct{ closed chan transport.Reason }

func (echo) Open(*transport.Session) error { return nil }

func (echo) Text(s *transport.Session, data []byte) {
	// data is valid until Text returns, the message lives on.
	s.Send(transport.NewText([]byte(string(data))), 0, false)
}

func (echo) Binary(s *transport.Session, data []byte) {
	s.Send(transport.NewBinary([]byte(string(data))), 0, false)
}

func (e echo) Close(_ *transport.Session, r transport.Reason) { e.closed <- r }

func Example() {
	app := echo{closed: make(chan transport.Reason, 1)}
	engine, err := transport.New(transport.Config{Path: "/engine.io/"}, app)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle(engine.Path(), engine)
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer http.DefaultClient.CloseIdleConnections()

	// What an Engine.IO client does, by hand: open a session, post a message,
	// poll, and close.
	url := srv.URL + engine.Path() + "?EIO=4&transport=polling"
	open := fetch(http.Get(url))
	_, rest, _ := strings.Cut(open, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	url += "&sid=" + sid
	fmt.Println(fetch(http.Post(url, "text/plain", strings.NewReader("4hello"))))
	fmt.Println(fetch(http.Get(url)))
	fmt.Println(fetch(http.Post(url, "text/plain", strings.NewReader("1"))))

	fmt.Println("closed:", <-app.closed)
	fmt.Println("shutdown:", engine.Shutdown(context.Background()))
	// Output:
	// ok
	// 4hello
	// ok
	// closed: transport close
	// shutdown: <nil>
}

func fetch(resp *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}
