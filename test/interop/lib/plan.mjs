// What the matrix consists of: the one place that says which cells there are. A cell that is planned and did not run fails the run.

const EXCHANGE = ["text", "ack", "binary", "namespace", "refuse", "unknown"];
const LIFE = ["leave", "kick", "reconnect", "order", "heartbeat"];
const NEWEST = ["batch"]; // of the clients that cut batches by the server's limit
const RECOVERY = ["recover", "recover-silent", "recover-volatile", "recover-refused"];

export const ROWS = [...EXCHANGE, ...LIFE, "offset", ...NEWEST, ...RECOVERY];
export const MODES = ["polling", "websocket", "upgrade"];

// version: what must be installed; Debian's Python client is taken as it comes, and the artifact says which it was.
// newest: the client takes part in connection state recovery. Every client is told of offsets or spared them, so all run "offset".
const CLIENTS = [
  { name: "1.3.5", kind: "node", version: "1.3.5", eio: 3 },
  { name: "1.7.4", kind: "node", version: "1.7.4", eio: 3 },
  { name: "2.5.0", kind: "node", version: "2.5.0", eio: 3 },
  { name: "3.1.3", kind: "node", version: "3.1.3", eio: 4 },
  { name: "4.8.4", kind: "node", version: "4.8.4", eio: 4, newest: true },
  { name: "4.8.4-msgpack", kind: "node", version: "4.8.4", eio: 4, parser: "msgpack", newest: true },
  { name: "python", kind: "python", eio: 4, flavour: "threads" },
  { name: "python-msgpack", kind: "python", eio: 4, parser: "msgpack", flavour: "threads" },
  { name: "python-asyncio", kind: "python", eio: 4, flavour: "asyncio" },
];

/** columns gives every client × mode with its rows, in the order in which they are printed. */
export function columns() {
  return CLIENTS.flatMap((client) =>
    MODES.map((mode) => ({
      ...client,
      mode,
      id: `${client.name}/${mode}`,
      rows: ROWS.filter((row) => client.newest || ![...NEWEST, ...RECOVERY].includes(row)),
    })),
  );
}

/** usesRecovery says whether a row needs the server that was started with recovery. */
export const usesRecovery = (row) => row === "offset" || RECOVERY.includes(row);
