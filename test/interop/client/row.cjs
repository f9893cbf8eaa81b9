"use strict";
// What a row's function is given: peers to open, the relay's switch, comparisons, and a deadline on everything that is waited for.
const assert = require("node:assert/strict");
const { Peer } = require("./peer.cjs");

class Row {
  constructor(client, order, tell) {
    Object.assign(this, client); // io, version, mode, parser
    this.order = order; // {row, url, recoveryUrl, relayUrl, relayRecoveryUrl, deadline}
    this.tell = tell;
    this.eio = /^[12]\./.test(this.version) ? 3 : 4;
    this.peers = [];
    this.calls = new Map();
    this.failed = new Promise((_, reject) => (this.fail = (error) => reject(error instanceof Error ? error : new Error(error))));
    this.failed.catch(() => {}); // every wait looks at it; nobody has to
  }

  /** guard ends with p, or with the row's first failure. */
  guard(p) {
    return Promise.race([p, this.failed]);
  }

  /** wait is the one way to wait: start(resolve, reject) is called at once and may return a function that undoes it. */
  wait(what, start) {
    let undo, timer;
    const p = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${what}: nothing within ${this.order.deadline} ms`)), this.order.deadline);
      undo = start(resolve, reject);
    });
    return this.guard(p).finally(() => {
      clearTimeout(timer);
      if (undo) undo();
    });
  }

  /** open connects a peer and waits for it, unless wait is false. */
  async open(options = {}) {
    const peer = new Peer(this, options);
    this.peers.push(peer);
    if (options.wait !== false) await peer.connected();
    return peer;
  }

  /** openBoth connects a namespace and the root on one connection. The generations of revision 3 hear of the root only once, so it is there from the start. */
  async openBoth(options) {
    const peer = await this.open({ ...options, wait: false });
    const root = await this.open({ share: peer, wait: false });
    await Promise.all([peer.connected(), root.connected()]);
    return [peer, root];
  }

  /** exchange runs body; in upgrade columns it runs around the switch and again after it. The transport is checked on both sides. */
  async exchange(peer, body) {
    await body("at once");
    await peer.settled();
    if (this.mode === "upgrade") await body("upgraded");
  }

  // The relay between client and server: cut destroys its connections (a polling client's only once a poll is waiting at the server)
  // and refuses new ones until restore.
  cut() {
    return this.call("cut");
  }

  restore() {
    return this.call("restore");
  }

  call(name) {
    const id = this.calls.size + 1;
    return this.wait(`relay: ${name}`, (resolve) => {
      this.calls.set(id, resolve);
      this.tell({ type: "call", call: id, name });
    });
  }

  answered(id) {
    const resolve = this.calls.get(id);
    if (resolve) resolve();
  }

  equal(got, want, what) {
    try {
      assert.deepStrictEqual(plain(got), plain(want));
    } catch {
      throw new Error(`${what}: got ${show(got)}, want ${show(want)}`);
    }
  }

  /**
   * binary gives the bytes in the form this client can send. 1.3.5 is older than Buffers with a `buffer` property: where it finds one
   * it sends as many zeros, so it gets Buffers as they were in its time.
   */
  binary(...values) {
    const data = Buffer.from(new Uint8Array(values.flat()).buffer);
    return this.version === "1.3.5" ? Object.defineProperty(data, "buffer", { value: undefined }) : data;
  }

  ok(value, what) {
    if (!value) throw new Error(what);
  }

  close() {
    for (const peer of this.peers) peer.close();
  }
}

/** bytes gives what a client delivered, whichever kind of binary it uses, as a Buffer. */
const bytes = (v) => (Buffer.isBuffer(v) ? v : v instanceof ArrayBuffer ? Buffer.from(v) : Buffer.from(v.buffer, v.byteOffset, v.byteLength));

// plain turns every kind of binary into {binary: hex}, so that clients may deliver Buffers, views or ArrayBuffers.
function plain(v) {
  if (v instanceof ArrayBuffer || ArrayBuffer.isView(v)) return { binary: bytes(v).toString("hex") };
  if (Array.isArray(v)) return v.map(plain);
  if (v && typeof v === "object" && !(v instanceof Error)) return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)]));
  return v;
}

function show(v) {
  const text = JSON.stringify(plain(v)) ?? String(v);
  return text.length > 600 ? `${text.slice(0, 600)}… (${text.length} characters)` : text;
}

module.exports = { Row, bytes };
