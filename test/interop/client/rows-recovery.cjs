"use strict";
// Rows against a server with connection state recovery.

const OFFSET = /^[0-9a-z]+\.[A-Za-z0-9_-]{4}(\+[0-9a-z]+)?$/;
const isOffset = (v) => typeof v === "string" && OFFSET.test(v);

async function offset(row) {
  const peer = await row.open({ recovery: true });
  const room = `r ${Math.random()}`; // columns share the server
  await peer.ask("join", room);
  await row.exchange(peer, async (when) => {
    await peer.ask("broadcast", room, "news", 1, "é€😀");
    await peer.ask("broadcast", room, "news", row.binary(5));
    await peer.ask("broadcast", room, "news");
    const news = [await peer.next("news"), await peer.next("news"), await peer.next("news")];
    const bare = [[1, "é€😀"], [row.binary(5)], []];
    if (row.eio === 3) row.equal(news, bare, `${when}: revision 3 sees the arguments alone`);
    else {
      row.equal(news.map((args) => args.slice(0, -1)), bare, `${when}: arguments before the offset`);
      for (const args of news) row.ok(isOffset(args.at(-1)), `${when}: not an offset: ${JSON.stringify(args.at(-1))}`);
    }
    await peer.ask("direct", "news", "for you alone");
    const [direct, ...tail] = await peer.next("news");
    row.equal(direct, "for you alone", `${when}: direct event`);
    if (row.eio === 3) row.equal(tail, [], `${when}: revision 3 sees the direct event's arguments alone`);
    else row.ok(tail.length === 1 && isOffset(tail[0]) && tail[0].includes("+"), `${when}: not the offset of a direct event: ${JSON.stringify(tail)}`);
    row.equal(await volatile(row, peer, 1, "text"), row.eio === 3 ? [1, "text"] : [1, "text", null], `${when}: volatile text`);
    row.equal(await volatile(row, peer, "text", 1), ["text", 1], `${when}: volatile number`);
    peer.emit("ask", "acked");
    const question = await peer.next("question");
    row.equal(question.slice(0, -1), ["acked"], `${when}: an event with ack carries nothing more`);
    question.at(-1)("yes");
    row.equal((await peer.next("answered"))[0], "yes", `${when}: answered`);
  });
  if (row.eio === 3) return;

  const bare = await row.open({ recovery: true, auth: { recover: false, token: "é" } });
  row.equal((await bare.whoami()).auth, { token: "é" }, "auth of a client that opted out");
  await bare.ask("join", room);
  await bare.ask("broadcast", room, "news", "text");
  row.equal(await bare.next("news"), ["text"], "a client that opted out sees the arguments alone");
}

// A volatile event may be dropped whenever the link is busy, so ask until one comes.
async function volatile(row, peer, ...args) {
  for (let i = 0; i < 1000; i++) {
    await peer.ask("volatile", "poked", ...args);
    const [poked] = peer.box("poked").splice(0);
    if (poked) return poked;
  }
  throw new Error("a thousand volatile events in a row were dropped");
}

/** listening opens the victim in room r, which fails the row at once when a number of "news" is not the next one, and a helper. */
async function listening(row) {
  const peer = await row.open({ recovery: true, relay: true, reconnect: true });
  const helper = await row.open({ recovery: true });
  await peer.ask("join", "r " + peer.socket.id);
  await peer.ask("remember", { "clé": "é€😀" });
  await peer.settled();
  const { id } = await peer.whoami();
  await helper.ask("watch", id);

  let seen = 0;
  let arrived = () => {};
  peer.socket.on("news", (n, data) => {
    if (n !== seen + 1) return row.fail(`news ${n} where ${seen + 1} was due`);
    if (n % 5 === 0 && !(Buffer.isBuffer(data) && data.equals(Buffer.from([n, 0, 255])))) return row.fail(`news ${n} came with other bytes: ${JSON.stringify(data)}`);
    seen = n;
    arrived();
  });
  let farewells = 0;
  peer.socket.on("farewell", () => farewells++);
  let told = 0;
  return {
    farewells: () => farewells,
    peer,
    helper,
    id,
    /** tell has the helper broadcast n more numbers to the room. Every fifth carries an attachment. */
    async tell(n) {
      for (const end = told + n; told < end; ) {
        told++;
        const extra = told % 5 === 0 ? [row.binary(told, 0, 255)] : [];
        await helper.ask("broadcast", "r " + id, "news", told, ...extra);
      }
    },
    all: () =>
      row.wait(`news up to ${told}`, (resolve) => {
        arrived = () => seen >= told && resolve();
        arrived();
      }),
    /** away cuts the link, does what is to happen meanwhile, and waits until the client is connected again. */
    async away(meanwhile) {
      peer.mayDisconnect = peer.mayFail = true;
      await row.cut();
      await meanwhile();
      await peer.next("disconnect");
      await row.restore();
      await peer.connected();
      peer.mayDisconnect = peer.mayFail = false;
    },
    /** same asserts that the session is the old one in every respect. */
    async same(when) {
      row.ok(peer.socket.recovered === true, `${when}: the client says recovered = ${peer.socket.recovered}`);
      row.equal(peer.socket.id, id, `${when}: the client's id`);
      const who = await peer.whoami();
      row.equal([who.id, who.recovered, who.auth], [id, true, {}], `${when}: the server's view`);
      row.equal(await peer.ask("recall"), [{ "clé": "é€😀" }], `${when}: the socket's data`);
      row.equal((await peer.ask("rooms"))[0].sort(), ["r " + id, id].sort(), `${when}: rooms`);
    },
  };
}

async function recover(row) {
  const s = await listening(row);
  await s.tell(3);
  await s.all();
  for (const when of ["first", "second"]) {
    await s.away(async () => {
      await s.tell(6); // some of them while the server still believes in the link
      const [gone] = await s.helper.next("gone");
      row.equal(gone.id, s.id, `${when}: who is gone`);
      await s.tell(6);
    });
    await s.same(when);
    await s.helper.ask("watch", s.id);
    await s.tell(3);
    await s.all();
    await s.peer.settled();
    row.equal(await s.peer.ask("echo", "last"), ["last"], `${when}: echo`); // doubled news would have come before this
    row.equal(s.farewells(), when === "first" ? 1 : 2, `${when}: events to the lost socket alone`);
  }
}

async function recoverSilent(row) {
  const s = await listening(row);
  await s.away(() => s.tell(6));
  await s.same("silent");
  await s.tell(2);
  await s.all();
  row.equal(await s.peer.ask("echo", "last"), ["last"], "echo");
}

async function recoverVolatile(row) {
  const s = await listening(row);
  await s.tell(2);
  await s.all();
  row.equal(await volatile(row, s.peer, "not-an-offset"), ["not-an-offset", null], "volatile text");
  row.equal(await volatile(row, s.peer), [null], "volatile without arguments");
  await s.away(() => s.tell(6));
  await s.same("after volatile text");
  await s.all();
  row.equal(await s.peer.ask("echo", "last"), ["last"], "echo");
}

async function recoverRefused(row) {
  const s = await listening(row);
  await s.tell(2);
  await s.all();
  s.peer.mayDisconnect = true;
  s.peer.socket.disconnect();
  await s.helper.next("gone");
  s.peer.mayDisconnect = false;
  s.peer.socket.connect(); // sends the pid and offset it has
  await s.peer.connected();
  row.ok(s.peer.socket.recovered === false, "recovered after a disconnect of the client's own");
  const who = await s.peer.whoami();
  row.ok(who.id !== s.id && who.id === s.peer.socket.id && !who.recovered, `the old id came back: ${JSON.stringify(who)}`);
  row.equal(await s.peer.ask("rooms"), [[who.id]], "rooms of the new session");
  row.equal(await s.peer.ask("recall"), [null], "data of the new session");

  // Of the right form, or the server would take it for a field of the application's.
  const pid = s.peer.socket._pid.replace(/\..{4}/, ".AAAA");
  const stranger = await row.open({ recovery: true, auth: { pid, offset: "1.AAAA", token: "é" } });
  row.ok(stranger.socket.recovered === false, "an invented session was recovered");
  const { recovered, auth } = await stranger.whoami();
  row.equal([recovered, auth], [false, { token: "é" }], "the server's view of an invented session");
}

module.exports = { offset, recover, "recover-silent": recoverSilent, "recover-volatile": recoverVolatile, "recover-refused": recoverRefused };
