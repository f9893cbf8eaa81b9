// A few clients of 4.8.4 through a balancer before several nodes: node smoke.mjs URL. Exit 0 means that every row passed on every
// transport. The clients and the contract of the server are those of test/interop.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { io } = createRequire(new URL("../interop/package.json", import.meta.url))("client-4.8.4");
const url = process.argv[2];
const MODES = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };
const CLIENTS = 9, WAIT_MS = 20_000;

/** within fails when it takes too long. */
function within(promise, what) {
  let timer;
  const late = new Promise((_, fail) => (timer = setTimeout(() => fail(new Error(`not in ${WAIT_MS} ms: ${what}`)), WAIT_MS)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function next(socket, event) {
  return within(new Promise((done) => socket.once(event, (...args) => done(args))), `event ${event}`);
}

/** open connects one client, and waits for its upgrade if it has one. */
async function open(mode) {
  const socket = io(url, { transports: MODES[mode], forceNew: true, reconnection: false });
  await within(
    new Promise((done, fail) => {
      socket.once("connect", done);
      socket.once("connect_error", fail);
    }),
    "connect",
  );
  if (mode === "upgrade" && socket.io.engine.transport.name === "polling") await within(new Promise((done) => socket.io.engine.once("upgrade", done)), "upgrade");
  return socket;
}

const ask = (socket, ...args) => within(socket.emitWithAck(...args), `acknowledgement of ${args[0]}`);

const rows = {
  /** Sessions live on several nodes, and each is served whichever node its requests come to. */
  async connect(sockets, mode) {
    const homes = new Set(sockets.map((s) => s.io.engine.id.slice(0, 6)));
    assert.ok(homes.size > 1, `all sessions live on one node`);
    for (const s of sockets) {
      const me = await ask(s, "whoami");
      assert.equal(me.id, s.id);
      assert.equal(me.transport, mode === "polling" ? "polling" : "websocket");
    }
  },
  async ack(sockets) {
    for (const s of sockets) assert.deepEqual(await ask(s, "echo", "é€😀", { a: [1, null] }), "é€😀");
  },
  async binary(sockets) {
    const data = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256));
    for (const s of sockets.slice(0, 3)) {
      const [seen] = await ask(s, "inspect", data);
      assert.equal(seen.length, data.length);
      const back = next(s, "echoed");
      s.emit("echo", data);
      assert.ok(data.equals((await back)[0]), "other bytes came back");
    }
  },
  /** What one client says to a room comes once to each member, on all nodes. */
  async room(sockets) {
    const room = `room ${Math.random()}`;
    for (const s of sockets) await ask(s, "join", room);
    for (const [i, from] of sockets.entries()) {
      const all = sockets.map((s) => next(s, "news"));
      await ask(from, "broadcast", room, "news", i, Buffer.from([i, 0, 255]));
      for (const args of await Promise.all(all)) {
        assert.equal(args[0], i);
        assert.ok(Buffer.from([i, 0, 255]).equals(args[1]));
      }
    }
    for (const s of sockets) {
      await ask(s, "leave", room);
      assert.ok(!(await ask(s, "rooms")).includes(room));
    }
  },
  /** A client that leaves is noticed by one that watches it from another node. */
  async leave(sockets) {
    const [watcher, ...others] = sockets;
    const home = (s) => s.io.engine.id.slice(0, 6);
    const other = others.find((s) => home(s) !== home(watcher));
    await ask(watcher, "watch", other.id);
    const gone = next(watcher, "gone");
    const { id } = other;
    other.disconnect();
    const [said] = await gone;
    assert.equal(said.id, id);
    assert.equal(said.reason, "client namespace disconnect");
  },
};

let run = 0, failed = 0;
for (const mode of Object.keys(MODES)) {
  const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => open(mode)));
  for (const [name, row] of Object.entries(rows)) {
    run++;
    const begun = Date.now();
    try {
      await row(sockets, mode);
      console.log(`ok   ${mode}/${name} ${Date.now() - begun} ms`);
    } catch (error) {
      failed++;
      console.log(`FAIL ${mode}/${name}: ${error.stack}`);
    }
  }
  for (const s of sockets) s.disconnect();
}
console.log(`cells run = ${run}, skipped = 0`);
process.exit(failed ? 1 : 0); // see test/interop/run.mjs
