"use strict";
// One namespace socket of a client, with a mailbox for each event. Knows how the generations differ; changes nothing in them.

// Every event that the app `interop` sends; rows name others in options.listen.
const EVENTS = ["echoed", "greeting", "bytes", "question", "answered", "gone", "seq-back", "news", "poked"];

class Peer {
  /**
   * options: nsp; auth, sent as auth or query by revision; recovery and relay choose the server and the way to it; reconnect;
   * share, a peer whose connection is used; listen, further event names; mayFail; wait.
   */
  constructor(row, options) {
    this.row = row;
    this.options = options;
    this.nsp = options.nsp || "/";
    this.boxes = new Map();
    this.waiting = new Map();
    this.mayDisconnect = false; // a disconnect that no row announced fails the row
    this.mayFail = options.mayFail === true; // the same for refusals and failed attempts to connect
    this.socket = this.dial();

    const { socket } = this;
    for (const name of [...EVENTS, ...(options.listen || [])]) socket.on(name, (...args) => this.put(name, args));
    socket.on("connect", () => this.put("connect", []));
    socket.on("disconnect", (reason) => {
      this.put("disconnect", [reason]);
      if (!this.mayDisconnect) row.fail(`disconnected: ${reason}`);
    });
    // Revision 3 says "error" for a refused namespace and "connect_error" for a link that failed, revision 4 "connect_error" for both.
    const refused = (reason) => {
      this.put("refused", [row.eio === 3 ? reason : strip({ message: reason.message, data: reason.data })]);
      if (!this.mayFail) row.fail(`refused or failed: ${reason && reason.message ? reason.message : JSON.stringify(reason)}`);
    };
    if (row.eio === 3) socket.on("error", refused);
    socket.on("connect_error", (reason) => {
      if (row.eio === 4) refused(reason);
      else if (!this.mayFail) row.fail(`could not connect: ${reason && reason.message}`);
    });
  }

  dial() {
    const { row, options, nsp } = this;
    if (options.share) {
      const manager = options.share.socket.io;
      return manager.socket(nsp, row.eio === 4 && options.auth ? { auth: options.auth } : undefined);
    }
    const base = options.recovery
      ? options.relay ? row.order.relayRecoveryUrl : row.order.recoveryUrl
      : options.relay ? row.order.relayUrl : row.order.url;
    const config = {
      forceNew: true,
      transports: row.mode === "upgrade" ? ["polling", "websocket"] : [row.mode],
      reconnection: options.reconnect === true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 250,
      timeout: row.order.deadline,
    };
    if (row.parser) config.parser = row.parser;
    let path = nsp === "/" ? "" : nsp;
    if (options.auth) {
      if (row.eio === 4) config.auth = options.auth;
      else {
        const query = new URLSearchParams(options.auth).toString().replace(/\+/g, "%20");
        // 1.3.5 has no query of a namespace, only one of the connection.
        if (row.version === "1.3.5") config.query = query;
        else path += `?${query}`;
      }
    }
    return row.io(base + path, config);
  }

  put(name, args) {
    const waiting = this.waiting.get(name);
    if (waiting && waiting.length) waiting.shift()(args);
    else this.box(name).push(args);
  }

  /** box holds the arguments of each event of that name nobody has taken yet. */
  box(name) {
    if (!this.boxes.has(name)) this.boxes.set(name, []);
    return this.boxes.get(name);
  }

  /** next takes the oldest event of that name, and waits for it if need be. */
  next(name) {
    const box = this.box(name);
    if (box.length) return Promise.resolve(box.shift());
    return this.row.wait(`event ${name}`, (resolve) => {
      if (!this.waiting.has(name)) this.waiting.set(name, []);
      this.waiting.get(name).push(resolve);
      return () => this.waiting.set(name, this.waiting.get(name).filter((f) => f !== resolve));
    });
  }

  connected() {
    return this.next("connect");
  }

  emit(event, ...args) {
    this.socket.emit(event, ...args);
  }

  /** ask emits with an ack and gives the list of what was answered. */
  ask(event, ...args) {
    return this.row.wait(`ack of ${event}`, (resolve) => {
      this.socket.emit(event, ...args, (...answer) => resolve(answer));
    });
  }

  async whoami() {
    return (await this.ask("whoami"))[0];
  }

  get transport() {
    return this.socket.io.engine.transport.name;
  }

  /** upgraded waits for the client's switch to WebSocket. */
  async upgraded() {
    const { engine } = this.socket.io;
    if (engine.transport.name === "websocket") return;
    await this.row.wait("upgrade", (resolve, reject) => {
      const failed = (error) => reject(new Error(`upgrade failed: ${error && error.message}`));
      engine.on("upgrade", resolve);
      engine.on("upgradeError", failed);
    });
  }

  /** settled says that client and server are on the transport which the column promises. */
  async settled() {
    const { row } = this;
    if (row.mode === "upgrade") await this.upgraded();
    const want = row.mode === "upgrade" ? "websocket" : row.mode;
    row.equal(this.transport, want, "the client's transport");
    row.equal((await this.whoami()).transport, want, "the server's transport");
  }

  close() {
    this.mayDisconnect = this.mayFail = true;
    const { io: manager } = this.socket;
    manager.reconnection(false);
    this.socket.disconnect();
    if (manager.engine) manager.engine.close();
  }
}

const strip = (o) => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined));

module.exports = { Peer };
