// Clients of the recovery tests: node clients.mjs FIRST URL...
//
// One client of socket.io-client 4.8.4 goes to each URL, and comes back whenever its connection breaks. Clients are numbered from FIRST.
// What happens is written to the output, one JSON array a line: [number, what, text, ...]. It ends with its input.
import { createRequire } from "node:module";

const { io } = createRequire(new URL("../interop/", import.meta.url))("client-4.8.4");
const WAYS = [["websocket"], ["polling"], ["polling", "websocket"]];

const say = (...line) => process.stdout.write(JSON.stringify(line) + "\n");

const first = Number(process.argv[2]);
process.argv.slice(3).forEach((url, i) => {
  const client = first + i;
  let session; // as its first event names it
  const socket = io(url, {
    forceNew: true,
    transports: WAYS[i % WAYS.length],
    reconnectionDelay: 1,
    reconnectionDelayMax: 3,
    timeout: 10_000,
    auth: (give) => give({ client, claimed: socket._pid !== undefined, session }),
  });
  socket.onAny((name, ...args) => {
    if (name.startsWith("born:")) session = name.slice("born:".length);
    say(client, "event", name, ...args);
  });
  socket.on("connect", () => say(client, "connect", socket.id, socket.recovered === true));
  socket.on("disconnect", (reason) => say(client, "disconnect", reason));
  // Of an error on the way it will try again; a refusal by the namespace is final.
  socket.on("connect_error", (err) => socket.active || say(client, "refused", err.message));
});

process.stdin.on("end", () => process.exit(0)).resume();
