// Clients of the kill tests: node clients.mjs FIRST COUNT ADDRESS...
//
// COUNT clients of socket.io-client 4.8.4, numbered from FIRST, each connected to one of the addresses, and to any of them when its connection breaks.
// What happens is written to the output, one JSON array a line: [number, what, ...]. Commands are such lines on the input:
//
//	["addresses", [address, ...]]     where servers are from now on
//	["emit", number, event, ...]      emitted if that client is connected
//	["away", number, milliseconds]    if it is connected it closes its connection, and comes back so much later
//
// It ends with its input.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { io } = createRequire(new URL("../interop/", import.meta.url))("client-4.8.4");
const WAYS = [["websocket"], ["polling", "websocket"], ["websocket"], ["polling"], ["polling", "websocket"]];

let out = [];
const say = (...line) => {
  if (out.push(JSON.stringify(line)) === 1) setImmediate(flush);
};
const flush = () => {
  process.stdout.write(out.join("\n") + "\n");
  out = [];
};

const first = Number(process.argv[2]);
const count = Number(process.argv[3]);
let addresses = process.argv.slice(4);
const anywhere = () => "http://" + addresses[Math.floor(Math.random() * addresses.length)];

const start = (client) => {
  let claimed = false;
  const socket = io(anywhere(), {
    forceNew: true,
    transports: WAYS[client % WAYS.length],
    reconnectionDelay: 50,
    reconnectionDelayMax: 1000,
    timeout: 10_000,
    auth: (give) => {
      claimed = socket._pid !== undefined;
      give({ client });
    },
  });
  const manager = socket.io;
  manager.on("reconnect_attempt", () => (manager.uri = anywhere()));
  socket.onAny((name, ...args) => say(client, "event", name, args.length > 0 ? args.at(-1) : null, ...args.slice(0, -1)));
  socket.on("connect", () => say(client, "connect", socket.id, socket.recovered === true, claimed));
  socket.on("disconnect", (reason) => say(client, "disconnect", `${reason} of ${manager.engine.transport.name}`));
  // Of an error on the way it will try again; a refusal by the namespace is final.
  socket.on("connect_error", (err) => socket.active || say(client, "refused", err.message));
  return socket;
};
const sockets = Array.from({ length: count }, (_, i) => start(first + i));

const commands = {
  addresses: (list) => (addresses = list),
  emit: (client, ...event) => {
    const socket = sockets[client - first];
    if (socket.connected) socket.emit(...event);
  },
  away: (client, ms) => {
    const socket = sockets[client - first];
    if (!socket.connected) return; // it is on its way already
    const manager = socket.io;
    manager.reconnection(false);
    manager.engine.close();
    setTimeout(() => {
      manager.uri = anywhere();
      manager.reconnection(true);
      socket.connect();
    }, ms);
  },
};
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [what, ...args] = JSON.parse(line);
    commands[what](...args);
  })
  .on("close", () => process.exit(0));
