// A proxy that understands what passes and applies one planted defect to it.
import http from "node:http";
import net from "node:net";
import * as wire from "./wire.mjs";

const NOOP = { type: "6", text: "" };
const MOST = 16; // packets in one payload that every client takes; python-engineio leaves over more

export class Plant {
  /** defect is an entry of defects.mjs; its state lives as long as the plant. */
  constructor(to, defect) {
    this.to = new URL(to);
    this.defect = defect;
    this.planted = 0;
    this.state = {};
    this.direct = 0; // sessions that began as a WebSocket
    this.streams = new Map(); // session and direction → wire.Packets
    this.surplus = new Map(); // session → packets for its next poll
    this.sockets = new Set();
    this.server = http.createServer((req, res) => this.poll(req, res).catch(() => res.destroy()));
    this.server.on("upgrade", (req, socket, head) => this.upgrade(req, socket, head));
    this.server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  cut() {
    for (const socket of this.sockets) socket.destroy();
  }

  /** change applies the defect to one Engine.IO packet of a session and gives what takes its place. */
  change(key, at, eio, packet, ascii) {
    const { defect } = this;
    const replace = (original, make, changed) => {
      if (changed === undefined) return original; // not what the defect is about
      this.planted++;
      if (changed === "cut") {
        this.cut();
        return [];
      }
      return [changed].flat().flatMap(make);
    };
    if (packet.type !== "4") return defect.at === `${at} engine` ? replace([packet], (p) => p, defect.change(packet, this.state)) : [packet];
    if (defect.at !== at) return [packet];
    const name = `${key} ${at}`;
    if (!this.streams.has(name)) this.streams.set(name, { packets: new wire.Packets(), held: [] });
    const stream = this.streams.get(name);
    stream.held.push(packet);
    const whole = stream.packets.push(packet);
    if (!whole) return [];
    const held = stream.held.splice(0);
    const made = (p) => wire.encodePacket(p, ascii).map((part) => ({ ...part, inText: held[0].inText }));
    return replace(held, made, defect.change(whole, this.state));
  }

  changeAll(key, at, eio, packets, ascii) {
    return packets.flatMap((p) => this.change(key, at, eio, p, ascii));
  }

  target(req) {
    const url = new URL(req.url, this.to);
    if (this.defect.url && this.defect.url(url.searchParams, req)) this.planted++;
    const headers = { ...req.headers }; // Host too: the server compares it with Origin
    delete headers["accept-encoding"];
    delete headers["sec-websocket-extensions"];
    return { url, headers, eio: url.searchParams.get("EIO") === "4" ? 4 : 3, sid: url.searchParams.get("sid") };
  }

  async poll(req, res) {
    const { url, headers, eio, sid } = this.target(req);
    const left = new Promise((resolve) => res.on("close", resolve));
    let body = await read(req);
    if (req.method === "POST") {
      const type = req.headers["content-type"];
      const inText = !isBinary(type);
      const sent = payload(eio, type).decode(body);
      const packets = this.changeAll(sid, "client", eio, sent.map((p) => ({ ...p, inText })), false);
      if (!packets.length) return res.writeHead(200, { "content-type": "text/html" }).end("ok"); // all of it held or lost
      // Browsers of 1.x send an event's text in one form and its attachments in the other, and encode text twice in the first only.
      if (packets.some((p) => p.text && p.inText)) headers["content-type"] = "text/plain;charset=UTF-8";
      body = payload(eio, headers["content-type"]).encode(packets);
      headers["content-length"] = String(body.length);
      delete headers["transfer-encoding"];
    }
    const answer = await new Promise((resolve, reject) => {
      const out = http.request(url, { method: req.method, headers, agent: false }, resolve);
      out.on("error", reject);
      out.end(body, () => left.then(() => out.destroy())); // a client that went away takes its poll along, but not before it was sent
    });
    let content = await read(answer);
    if (req.method === "GET" && answer.statusCode === 200) {
      const format = payload(eio, answer.headers["content-type"]);
      const packets = format.decode(content);
      const session = sid || JSON.parse(packets[0].text).sid;
      const changed = [...(this.surplus.get(session) ?? []), ...this.changeAll(session, "server", eio, packets, true)];
      // What a defect adds waits for the next poll, or the client would notice the size of the payload and not the defect.
      this.surplus.set(session, changed.splice(Math.max(MOST, packets.length)));
      content = format.encode(changed.length ? changed : [NOOP]);
    }
    res.writeHead(answer.statusCode, { ...answer.headers, "content-length": content.length }).end(content);
  }

  upgrade(req, client, head) {
    const { url, headers, eio, sid } = this.target(req);
    if (this.defect.refuseUpgrade && sid) {
      this.planted++;
      return client.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    const key = sid || `websocket ${this.direct++}`;
    const server = net.connect(Number(this.to.port), this.to.hostname);
    this.sockets.add(server);
    server.on("close", () => {
      this.sockets.delete(server);
      client.destroy();
    });
    client.on("end", () => server.end());
    server.on("end", () => client.end());
    client.on("close", () => server.destroy());
    client.on("error", () => server.destroy());
    server.on("error", () => client.destroy());
    const lines = Object.entries(headers).map(([k, v]) => `${k}: ${v}`);
    server.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);

    const fromClient = new wire.Frames(), fromServer = new wire.Frames();
    const pass = (frames, at, to, masked) => (chunk) => {
      try {
        for (const message of frames.push(chunk)) {
          const out =
            message.opcode >= 8
              ? [message]
              : this.change(key, at, eio, wire.decodeMessage(eio, message), false).map((p) => wire.encodeMessage(eio, p.inText ? once(p) : p));
          for (const m of out) to.write(wire.encodeFrame(m, masked));
        }
      } catch {
        client.destroy();
        server.destroy();
      }
    };
    const up = pass(fromClient, "client", server, true);
    const down = pass(fromServer, "server", client, false);
    if (head.length) up(head);
    client.on("data", up);
    let answer = Buffer.alloc(0);
    const opening = (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      const end = answer.indexOf("\r\n\r\n");
      if (end < 0) return;
      server.off("data", opening);
      client.write(answer.subarray(0, end + 4));
      const rest = answer.subarray(end + 4);
      if (!/^HTTP\/1\.1 101/.test(answer.toString("latin1", 0, 12))) {
        client.end(rest);
        return;
      }
      server.on("data", down);
      if (rest.length) down(rest);
    };
    server.on("data", opening);
  }
}

/** once is a packet that was held since a POST of 1.x, where text is encoded twice, as a WebSocket carries it. */
function once(p) {
  if (p.bytes || !/[\u0080-\u00ff]/.test(p.text) || /[\u0100-\uffff]/.test(p.text)) return p;
  return { ...p, text: Buffer.from(p.text, "latin1").toString("utf8") };
}

/** payload gives the format of a polling body: text, or the binary form that revision 3 has for browsers. */
function payload(eio, contentType) {
  if (isBinary(contentType)) return { decode: wire.decodeBinaryPayload, encode: wire.encodeBinaryPayload };
  return { decode: (body) => wire.decodePayload(eio, body.toString("utf8")), encode: (packets) => Buffer.from(wire.encodePayload(eio, packets)) };
}

const isBinary = (contentType = "") => contentType.startsWith("application/octet-stream");

async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
