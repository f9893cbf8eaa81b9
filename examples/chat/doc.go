// Package chat is a small chat: rooms, who is here, who is typing, messages
// that are confirmed, and people who come back after a lost connection and get
// what they missed.
//
// It is an example of handlers on package node, and the demo of siod dev. Its
// page (Page) uses the official JavaScript client.
//
//	chat.Register(srv.Of("/"))
//	http.ListenAndServe(addr, srv.Handler(chat.Page(chat.PageConfig{})))
//
// # Events
//
// A client connects with the payload {"name": "Ada"}, and is refused if the
// name does not fit. Then it sends
//
//	join    room            answered with Joined
//	leave                   answered with nothing
//	message text            answered with Receipt
//	typing  true or false   not answered
//
// and gets
//
//	rooms   list of names   of the rooms that somebody is in
//	joined  Person, room    came in
//	left    Person, room    went
//	message Message
//	typing  Person, bool
//
// Nothing is kept in this package: who is where is known by the server, which
// would also know it of the other servers of a cluster.
package chat
