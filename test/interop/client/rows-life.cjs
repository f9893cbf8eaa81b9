"use strict";
// Rows about how connections end and begin again. A second socket, the watcher, tells what the server saw.

/** watched opens a peer, with the root beside it if it is of another namespace, and a watcher of it. */
async function watched(row, options = {}) {
  const [peer, root] = options.nsp ? await row.openBoth(options) : [await row.open(options)];
  await peer.settled();
  const watcher = await row.open({ nsp: peer.nsp });
  const { id } = await peer.whoami();
  await watcher.ask("watch", id);
  return { peer, root, watcher, id };
}

async function leave(row) {
  const { peer: chat, root, watcher, id } = await watched(row, { nsp: "/chat" });
  chat.mayDisconnect = true;
  chat.socket.disconnect();
  row.equal(await chat.next("disconnect"), ["io client disconnect"], "the client's reason");
  row.equal(await watcher.next("gone"), [{ id, reason: "client namespace disconnect" }], "the server's reason for /chat");
  row.equal(await root.ask("echo", "still here"), ["still here"], "the root after leaving /chat");

  const whole = await watched(row);
  whole.peer.mayDisconnect = true;
  whole.peer.socket.disconnect();
  row.equal(await whole.watcher.next("gone"), [{ id: whole.id, reason: "client namespace disconnect" }], "the server's reason for /");
}

async function kick(row) {
  const { peer: chat, root, watcher, id } = await watched(row, { nsp: "/chat", reconnect: true });
  chat.mayDisconnect = true;
  chat.emit("kick");
  row.equal(await chat.next("disconnect"), ["io server disconnect"], "the client's reason");
  row.equal(await watcher.next("gone"), [{ id, reason: "server namespace disconnect" }], "the server's reason");
  row.equal(await root.ask("echo", "still here"), ["still here"], "the root after /chat was kicked");
  row.ok(!chat.socket.connected && chat.box("connect").length === 0, "the client reconnected by itself");
  chat.mayDisconnect = false;
  chat.socket.connect(); // by hand
  await chat.connected();
  row.equal(await chat.ask("echo", "back é"), ["back é"], "echo after coming back");

  const whole = await watched(row, { reconnect: true });
  const other = await row.open({ nsp: "/chat", share: whole.peer });
  whole.peer.mayDisconnect = other.mayDisconnect = true;
  whole.peer.emit("kick-connection");
  row.equal(await whole.peer.next("disconnect"), ["io server disconnect"], "the client's reason for the connection");
  row.equal(await other.next("disconnect"), ["io server disconnect"], "the client's reason for /chat");
  row.equal(await whole.watcher.next("gone"), [{ id: whole.id, reason: "server namespace disconnect" }], "the server's reason for the connection");
}

async function reconnect(row) {
  const { peer, watcher, id } = await watched(row, { relay: true, reconnect: true });
  await peer.ask("join", "away");
  peer.mayDisconnect = peer.mayFail = true;
  await row.cut();
  const [reason] = await peer.next("disconnect");
  row.ok(/^transport (close|error)$/.test(reason), `the client's reason is ${reason}`);
  for (let n = 0; n < 5; n++) peer.emit("seq", n); // kept by the client until it is back
  const [gone] = await watcher.next("gone");
  row.equal(gone.id, id, "who is gone");
  row.ok(/^(transport (close|error)|ping timeout)$/.test(gone.reason), `the server's reason is ${gone.reason}`);
  await row.restore();
  await peer.connected();
  peer.mayDisconnect = peer.mayFail = false;

  row.equal(await peer.ask("seq-report"), [[0, 1, 2, 3, 4]], "what was emitted meanwhile");
  await row.exchange(peer, async (when) => {
    const who = await peer.whoami();
    row.ok(who.id !== id && !who.recovered, `${when}: the new session has id ${who.id}, recovered ${who.recovered}`);
    row.equal(await peer.ask("rooms"), [[who.id]], `${when}: rooms`);
    row.equal(await peer.ask("echo", "after é€😀", row.binary(1, 2, 255)), ["after é€😀", row.binary(1, 2, 255)], `${when}: ack of echo`);
    row.equal(await peer.next("echoed"), ["after é€😀", row.binary(1, 2, 255)], `${when}: echoed`);
  });
}

module.exports = { leave, kick, reconnect };
