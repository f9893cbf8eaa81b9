// The defects that each row must notice. Each is one change to what passes between client and server:
//
//   row, name  which row must fail, and what is wrong
//   at         whose packets are changed: "server", "client", or "server engine", "client engine" for Engine.IO packets that carry no message
//   change     (packet, state) → undefined to let it pass, a packet or a list to put in its place, "cut" to break the connections
//   url        (query) → true once it changed the query of a request; refuseUpgrade: upgrades are answered 400
//   expect     what the failure must say: another failure would prove nothing
//   for        the columns it makes sense in; all, when absent
//   quick      needs the server with short heartbeats

const CONNECT = 0, DISCONNECT = 1, EVENT = 2, ACK = 3, REFUSED = 4;

const event = (p, name) => p.type === EVENT && p.data[0] === name;
const with_ = (p, data) => ({ ...p, data });
const blur = (text) => text.replace(/[^\x00-\x7f]|[a-z]/u, "?"); // the first letter
const flip = (bytes) => {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1] ^= 16;
  return copy;
};
/** once lets a defect strike the first time only. */
const once = (state, p) => (state.struck ? undefined : ((state.struck = true), p));

const text = [
  { name: "text of a server's event", at: "server", change: (p) => event(p, "greeting") ? with_(p, p.data.map((s, i) => (i === 1 ? blur(s) : s))) : undefined, expect: /: greeting: got/ },
  { name: "text of a server's ack", at: "server", change: (p) => p.type === ACK && p.data.length === 4 ? with_(p, p.data.map((s, i) => (i === 2 ? s.slice(2) : s))) : undefined, expect: /: ack of greet: got/ },
  { name: "text of a client's event", at: "client", change: (p) => event(p, "inspect") ? with_(p, p.data.map((s, i) => (i === p.data.length - 1 ? `${s}?` : s))) : undefined, expect: /: inspect( alone)?: got/ },
];

const ack = [
  { name: "another answer from the server", at: "server", change: (p) => p.type === ACK && p.data[0] === 11 ? with_(p, [12, p.data[1]]) : undefined, expect: /answers of echo: got/ },
  { name: "another answer from the client", at: "client", change: (p) => p.type === ACK && p.data[0] === 5 ? with_(p, [6]) : undefined, expect: /: answered: got/ },
  { name: "a question without ack id", at: "server", for: (c) => c.kind === "node", change: (p) => event(p, "question") ? { ...p, id: undefined } : undefined, expect: /question carries no ack/ },
];

const binary = [
  { name: "a bit of a server's attachment", at: "server", change: (p) => event(p, "bytes") && p.data[1].length > 0 ? with_(p, [p.data[0], flip(p.data[1]), p.data[2]]) : undefined, expect: /: bytes \d+: got/ },
  { name: "a bit of a client's attachment", at: "client", change: (p) => event(p, "inspect") && p.data[1].length > 0 ? with_(p, [p.data[0], flip(p.data[1]), ...p.data.slice(2)]) : undefined, expect: /: inspect \d+: got/ },
  { name: "a bit of a server's binary ack", at: "server", change: (p) => p.type === ACK && Buffer.isBuffer(p.data[0]) && p.data[0].length > 0 ? with_(p, [flip(p.data[0]), ...p.data.slice(1)]) : undefined, expect: /: ack of bytes \d+: got/ },
  { name: "a bit of a client's binary ack", at: "client", change: (p) => p.type === ACK ? with_(p, [flip(p.data[0]), ...p.data.slice(1)]) : undefined, expect: /: answered: got/ },
];

const namespace = [
  {
    name: "another token", at: "client", for: (c) => c.version !== "1.3.5", expect: /: (auth|query): got/,
    change: (p) => {
      if (p.type !== CONNECT || !p.nsp.startsWith("/chat")) return;
      return p.nsp === "/chat" ? with_(p, { token: "stolen" }) : { ...p, nsp: p.nsp.replace(/token=[^&]*/, "token=stolen") };
    },
  },
  { name: "another query", url: (query) => query.has("token") && (query.set("token", "stolen"), true), for: (c) => c.version === "1.3.5", expect: /: query: got/ },
  { name: "an event of /chat in the root as well", at: "server", change: (p) => event(p, "echoed") && p.nsp === "/chat" ? [p, { ...p, nsp: "/" }] : undefined, expect: /events of each namespace: got/ },
];

const refuse = [
  { name: "other data in a refusal", at: "server", change: (p) => p.type === REFUSED && p.nsp === "/refuse" ? with_(p, p.data.data ? { ...p.data, data: { ...p.data.data, code: 8 } } : { ...p.data, code: 8 }) : undefined, expect: /refusal of \/refuse: got/ },
  { name: "another message in a refusal", at: "server", change: (p) => p.type === REFUSED && p.nsp === "/refuse-plain" ? with_(p, p.data.message ? { message: "no" } : "no") : undefined, expect: /refusal of \/refuse-plain: got/ },
];

const unknown = [
  { name: "another message", at: "server", change: (p) => p.type === REFUSED ? with_(p, p.data.message ? { message: "no" } : "no") : undefined, expect: /refusal: got/ },
];

const gone = (reason) => (p) => event(p, "gone") ? with_(p, ["gone", { ...p.data[1], reason }]) : undefined;

const leave = [
  // The threaded Python client may close its WebSocket before its DISCONNECT is out, so that row takes both reasons of it.
  { name: "a client's DISCONNECT is lost with its link", at: "client", change: (p) => p.type === DISCONNECT && p.nsp === "/chat" ? "cut" : undefined, for: (c) => c.kind === "node", expect: /reason for \/chat: got|disconnected: |refused or failed: |could not connect/ },
  { name: "another reason from the server", at: "server", change: gone("ping timeout"), expect: /the server's reason/ },
];

const kick = [
  // What the Python client emits while it takes its lost link down is gone without an error, so its echo may stay without an ack.
  { name: "a server's DISCONNECT is lost with its link", at: "server", change: (p) => p.type === DISCONNECT ? "cut" : undefined, expect: /the client's reason: got|disconnected: |refused or failed: |could not connect|is not a connected namespace|the root's id after the kick|the root after \/chat|ack of echo: nothing/ },
  { name: "another reason from the server", at: "server", change: gone("transport close"), expect: /the server's reason/ },
];

const reconnect = [
  { name: "other bytes after the client is back", at: "server", change: (p) => event(p, "echoed") ? with_(p, [...p.data.slice(0, 2), flip(p.data[2])]) : undefined, expect: /echoed: got/ },
  { name: "what was emitted meanwhile arrives twice", at: "client", for: (c) => c.kind === "node", change: (p) => event(p, "seq") && p.data[1] === 3 ? [p, p] : undefined, expect: /emitted meanwhile: got/ },
  { name: "another reason from the server", at: "server", change: gone("client namespace disconnect"), expect: /the server's reason is/ },
];

const order = [
  { name: "a message of the server is lost", at: "server", change: (p) => event(p, "seq-back") && p.data[1] === 17 ? [] : undefined, expect: /seq-back 18 where 17 was due/ },
  { name: "a message of the server comes twice", at: "server", change: (p) => event(p, "seq-back") && p.data[1] === 20 ? [p, p] : undefined, expect: /seq-back 20 where 21 was due/ },
  { name: "a message of the client comes twice", at: "client", change: (p, state) => event(p, "seq") && p.data[1] === 9 ? once(state, [p, { ...p, id: undefined }]) : undefined, expect: /seq-back 9 where 10 was due|server received: got/ },
  { name: "two messages of the server change places", at: "server", expect: /seq-back 31 where 30 was due/,
    change: (p, state) => {
      if (!event(p, "seq-back")) return;
      if (p.data[1] === 30) return (state.kept = p), [];
      if (p.data[1] === 31) return [p, state.kept];
    } },
  { name: "the upgrade is refused", refuseUpgrade: true, for: (c) => c.mode === "upgrade", expect: /upgrade failed|client's transport: got|upgrade: nothing/ },
];

const heartbeat = [
  { name: "the server's heartbeats are lost", at: "server engine", quick: true, change: (p) => (p.type === "2" || (p.type === "3" && p.text === "")) ? [] : undefined, expect: /disconnected: (ping timeout|transport (close|error)|the client gives no reason)/ },
];

const OFFSET = (p) => typeof p.data.at(-1) === "string" && p.data.length > 1;
const offset = [
  { name: "an offset for revision 3", at: "server", for: (c) => c.eio === 3, change: (p) => event(p, "news") ? with_(p, [...p.data, "1.AAAA"]) : undefined, expect: /revision 3 sees the arguments alone: got/ },
  { name: "a durable event without offset", at: "server", for: (c) => c.eio === 4, change: (p) => event(p, "news") && OFFSET(p) ? with_(p, p.data.slice(0, -1)) : undefined, expect: /arguments before the offset: got|not an offset/ },
  { name: "volatile text without its null", at: "server", for: (c) => c.eio === 4, change: (p) => event(p, "poked") && p.data.at(-1) === null ? with_(p, p.data.slice(0, -1)) : undefined, expect: /volatile text: got/ },
];

const batch = [
  { name: "a byte of a large event", at: "client", change: (p) => event(p, "inspect") && p.data[1][0] === 27 ? with_(p, ["inspect", flip(p.data[1])]) : undefined, expect: /answer 27: got/ },
  { name: "a server that announces no limit", at: "server engine", for: (c) => c.mode === "polling", change: (p) => p.type === "0" ? { ...p, text: JSON.stringify({ ...JSON.parse(p.text), maxPayload: undefined }) } : undefined, expect: /refused or failed|disconnected: / },
];

const news = (p, n) => event(p, "news") && p.data[1] === n;
const recover = [
  { name: "a missed event is lost", at: "server", change: (p) => news(p, 8) ? [] : undefined, expect: /news 9 where 8 was due/ },
  { name: "a missed event comes twice", at: "server", change: (p) => news(p, 9) ? [p, p] : undefined, expect: /news 9 where 10 was due/ },
  { name: "a bit of a missed attachment", at: "server", change: (p) => news(p, 10) ? with_(p, ["news", 10, flip(p.data[2]), ...p.data.slice(3)]) : undefined, expect: /news 10 came with other bytes/ },
  { name: "what was said to the lost socket alone is lost", at: "server", change: (p) => event(p, "farewell") ? [] : undefined, expect: /events to the lost socket alone: got/ },
  { name: "another pid at the return", at: "server", expect: /recovered = false/,
    change: (p, state) => {
      if (p.type !== CONNECT || !p.data.pid) return;
      const known = (state.pids ||= new Set()).has(p.data.pid);
      state.pids.add(p.data.pid);
      return known ? with_(p, { ...p.data, pid: "another" }) : undefined;
    } },
];

const lostPid = { name: "the pid is lost on the way", at: "client", change: (p) => p.type === CONNECT && p.data && p.data.pid ? with_(p, { ...p.data, pid: "lost" }) : undefined, expect: /recovered = false/ };

const recoverVolatile = [
  lostPid,
  { name: "volatile text without its null", at: "server", change: (p) => event(p, "poked") && p.data.at(-1) === null ? with_(p, p.data.slice(0, -1)) : undefined, expect: /volatile text: got/ },
];

const recoverRefused = [
  { name: "the old id comes back", at: "server", expect: /the old id came back/,
    change: (p, state) => {
      if (p.type !== CONNECT || !p.data.sid) return;
      state.sids = [...(state.sids || []), p.data.sid];
      return state.sids.length === 3 ? with_(p, { ...p.data, sid: state.sids[0] }) : undefined; // victim, helper, victim again
    } },
];

export const DEFECTS = Object.entries({
  text, ack, binary, namespace, refuse, unknown, leave, kick, reconnect, order, heartbeat, offset, batch,
  recover, "recover-silent": [lostPid], "recover-volatile": recoverVolatile, "recover-refused": recoverRefused,
}).flatMap(([row, list]) => list.map((defect) => ({ row, ...defect })));

/** defectsOf gives the defects that a column must notice in a row. */
export const defectsOf = (column, row) => DEFECTS.filter((d) => d.row === row && (!d.for || d.for(column)));
