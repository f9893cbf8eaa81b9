// Package wsframe reads WebSocket messages from bytes and builds WebSocket
// frames (RFC 6455, with permessage-deflate of RFC 7692). It does no I/O,
// starts no goroutine and knows no time: the owner of a connection feeds the
// bytes it received and writes the bytes it is given. It stands below the
// transport and the client, on the frame types of gobwas/ws.
//
// A Reader belongs to one connection and is used by one goroutine at a time.
// It is small and holds no buffer between messages; while a message is under
// way it holds one pooled buffer that grows with the bytes received, never
// with the length a frame claims. Builders append to the caller's slice and
// may be called from anywhere.
//
// A read loop:
//
//	var r wsframe.Reader
//	r.Init(wsframe.Config{MaxMessage: 1_000_000, Server: true})
//	defer r.Release()
//	for {
//		n, err := conn.Read(buf)
//		…
//		for in := buf[:n]; ; {
//			m, used, ok, err := r.Next(in)
//			if err != nil {
//				ce, _ := errors.AsType[*wsframe.CloseError](err)
//				return conn.Write(wsframe.AppendClose(nil, ce.Code, ce.Reason))
//			}
//			if !ok {
//				break // all of in is used; buf may serve another connection
//			}
//			handle(m) // m.Data is valid until the next call of Next
//			in = in[used:]
//		}
//		if r.Partial() {
//			// arm a read deadline
//		}
//	}
//
// Limits that are always on: bytes of a message over all its fragments and
// after inflating, fragments of a message, runs of empty fragments, and the
// ratio of inflated to compressed bytes. UTF-8 of text is always checked.
//
// Verdicts were compared with those of the npm package ws, the reference
// server's WebSocket library, on 770 streams, right and wrong. They agree but
// for these, all meant:
//
//   - a 64-bit length with the top bit set is a protocol error here (1002, RFC
//     6455 section 5.2) and too big there (1009);
//   - a compressed message that ends inside a block, or has bytes behind its
//     final block, is refused here (1007), and there what came out is delivered;
//   - empty fragments in a row and the ratio of inflating are limited here;
//   - compressed bytes may pass the message limit here by what deflate adds to
//     data that does not compress; the inflated bytes may not;
//   - content is judged here when a message is complete, there a compressed
//     fragment at once, so that another mistake in between may be named first.
package wsframe
