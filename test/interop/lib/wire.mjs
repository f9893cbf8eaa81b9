// The formats between client and server, as far as planting defects needs them: polling payloads, WebSocket frames, Engine.IO packets,
// Socket.IO packets. Written for well-formed traffic of real clients; whatever it does not know it hands back unchanged.
import notepack from "notepack.io";

// ---- Engine.IO packets: {type: "4", text} or {type: "4", bytes} ----

/** decodePayload splits a polling body. Lengths of revision 3 count UTF-16 units, in whichever way the text was encoded. */
export function decodePayload(eio, body) {
  const records = [];
  if (eio === 4) records.push(...body.split("\x1e"));
  else
    for (let at = 0; at < body.length; ) {
      const colon = body.indexOf(":", at);
      const length = Number(body.slice(at, colon));
      if (colon < 0 || !Number.isInteger(length)) throw new Error(`not a payload: ${JSON.stringify(body.slice(at, at + 40))}`);
      records.push(body.slice(colon + 1, colon + 1 + length));
      at = colon + 1 + length;
    }
  return records.map((record) => {
    if (record[0] !== "b") return { type: record[0], text: record.slice(1) };
    return { type: "4", bytes: Buffer.from(record.slice(eio === 4 ? 1 : 2), "base64") };
  });
}

export function encodePayload(eio, packets) {
  const records = packets.map((p) => (p.bytes ? (eio === 4 ? "b" : `b${p.type}`) + p.bytes.toString("base64") : p.type + p.text));
  return eio === 4 ? records.join("\x1e") : records.map((r) => `${r.length}:${r}`).join("");
}

/** decodeBinaryPayload splits a body of revision 3's binary form: kind, decimal digits of the length as byte values, 255, body. */
export function decodeBinaryPayload(body) {
  const packets = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf(255, at);
    const length = Number([...body.subarray(at + 1, end)].join(""));
    const data = body.subarray(end + 1, end + 1 + length);
    packets.push(body[at] === 1 ? { type: String(data[0]), bytes: data.subarray(1) } : { type: String.fromCharCode(data[0]), text: data.toString("utf8", 1) });
    at = end + 1 + length;
  }
  return packets;
}

export function encodeBinaryPayload(packets) {
  return Buffer.concat(
    packets.flatMap((p) => {
      const data = p.bytes ? Buffer.concat([Buffer.from([Number(p.type)]), p.bytes]) : Buffer.from(p.type + p.text);
      return [Buffer.from([p.bytes ? 1 : 0, ...[...String(data.length)].map(Number), 255]), data];
    }),
  );
}

export function decodeMessage(eio, { opcode, payload }) {
  if (opcode === 2) return eio === 4 ? { type: "4", bytes: payload } : { type: String(payload[0]), bytes: payload.subarray(1) };
  const text = payload.toString("utf8");
  if (eio === 3 && text[0] === "b") return { type: text[1], bytes: Buffer.from(text.slice(2), "base64") };
  return { type: text[0], text: text.slice(1) };
}

export function encodeMessage(eio, p) {
  if (!p.bytes) return { opcode: 1, payload: Buffer.from(p.type + p.text) };
  return { opcode: 2, payload: eio === 4 ? p.bytes : Buffer.concat([Buffer.from([Number(p.type)]), p.bytes]) };
}

// ---- WebSocket frames ----

/** Frames turns a byte stream into whole messages and control frames. */
export class Frames {
  constructor() {
    this.rest = Buffer.alloc(0);
    this.parts = [];
  }

  /** push gives the messages that became complete: {opcode, payload}. */
  push(chunk) {
    this.rest = Buffer.concat([this.rest, chunk]);
    const out = [];
    for (let frame; (frame = this.take()); ) {
      if (frame.opcode >= 8) out.push(frame);
      else {
        this.parts.push(frame);
        if (!frame.fin) continue;
        out.push({ opcode: this.parts[0].opcode, payload: Buffer.concat(this.parts.map((f) => f.payload)) });
        this.parts = [];
      }
    }
    return out;
  }

  take() {
    const b = this.rest;
    if (b.length < 2) return;
    let length = b[1] & 127, at = 2;
    if (length === 126) {
      if (b.length < 4) return;
      length = b.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (b.length < 10) return;
      length = Number(b.readBigUInt64BE(2));
      at = 10;
    }
    const mask = b[1] & 128 ? b.subarray(at, (at += 4)) : undefined;
    if (b.length < at + length) return;
    const payload = Buffer.from(b.subarray(at, at + length));
    if (mask) for (let i = 0; i < length; i++) payload[i] ^= mask[i & 3];
    this.rest = b.subarray(at + length);
    return { fin: (b[0] & 128) !== 0, opcode: b[0] & 15, payload };
  }
}

export function encodeFrame({ opcode, payload }, masked) {
  const n = payload.length;
  const size = n < 126 ? Buffer.from([n]) : n < 65536 ? Buffer.from([126, n >> 8, n & 255]) : Buffer.alloc(9, 127);
  if (n >= 65536) size.writeBigUInt64BE(BigInt(n), 1);
  const head = [Buffer.from([128 | opcode]), size];
  if (masked) {
    size[0] |= 128;
    head.push(Buffer.alloc(4)); // a mask of zeros leaves the bytes as they are
  }
  return Buffer.concat([...head, payload]);
}

// ---- Socket.IO packets: {type, nsp, id, data}, with Buffers in data ----

const HEADER = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),?)?(\d+)?/s;

/** Packets gathers the packets of one direction of one session. Text with attachments is held until it is whole. */
export class Packets {
  /** push takes a message packet of Engine.IO and gives a Socket.IO packet, or undefined while attachments are missing. */
  push(p) {
    if (p.bytes) {
      if (!this.pending) return { ...notepack.decode(p.bytes), msgpack: true };
      this.attachments.push(p.bytes);
      return this.whole();
    }
    const [head, type, attachments, nsp, id] = HEADER.exec(p.text) || [];
    if (head === undefined) throw new Error(`not a Socket.IO packet: ${JSON.stringify(p.text)}`);
    const json = p.text.slice(head.length);
    const packet = { type: Number(type), nsp: nsp || "/", id: id === undefined ? undefined : Number(id), data: json ? JSON.parse(json) : undefined };
    if (!attachments) return packet;
    this.pending = packet;
    this.count = Number(attachments);
    this.attachments = [];
    return this.whole();
  }

  whole() {
    if (this.attachments.length < this.count) return;
    const { pending, attachments } = this;
    this.pending = undefined;
    const fill = (v) => {
      if (Array.isArray(v)) return v.map(fill);
      if (!v || typeof v !== "object") return v;
      return v._placeholder ? attachments[v.num] : Object.fromEntries(Object.entries(v).map(([k, x]) => [k, fill(x)]));
    };
    return { ...pending, type: pending.type - 3, data: fill(pending.data) }; // 5 and 6 are 2 and 3 with attachments
  }
}

/** encodePacket gives the Engine.IO packets for a Socket.IO packet. ascii escapes all else, which every generation reads alike. */
export function encodePacket({ type, nsp, id, data, msgpack }, ascii) {
  if (msgpack) return [{ type: "4", bytes: notepack.encode({ type, nsp, data, ...(id === undefined ? {} : { id }) }) }];
  const attachments = [];
  const empty = (v) => {
    if (Buffer.isBuffer(v)) return { _placeholder: true, num: attachments.push(v) - 1 };
    if (Array.isArray(v)) return v.map(empty);
    return v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, empty(x)])) : v;
  };
  let json = data === undefined ? "" : JSON.stringify(empty(data));
  if (ascii) json = json.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const kind = attachments.length ? `${type + 3}${attachments.length}-` : String(type);
  const text = kind + (nsp === "/" ? "" : `${nsp},`) + (id ?? "") + json;
  return [{ type: "4", text }, ...attachments.map((bytes) => ({ type: "4", bytes }))];
}
