"use strict";
// A column's process: node main.cjs CLIENT MODE PARSER. Rows come in on stdin, results leave on descriptor 3, both as JSON lines
// (lib/worker.mjs is the other end). One client generation a process.
const fs = require("node:fs");
const readline = require("node:readline");
const { Row } = require("./row.cjs");
const rows = { ...require("./rows-exchange.cjs"), ...require("./rows-life.cjs"), ...require("./rows-recovery.cjs") };

const [version, mode, parser] = process.argv.slice(2);
const alias = `client-${version}`;
const io = require(alias);
const installed = JSON.parse(fs.readFileSync(require("node:path").join(__dirname, "..", "node_modules", alias, "package.json"), "utf8")).version;
const client = { io, version, mode, parser: parser === "msgpack" ? require("socket.io-msgpack-parser") : undefined };

const tell = (message) => fs.writeSync(3, JSON.stringify(message) + "\n");
let row; // the one that runs

// Old clients throw out of their own callbacks: that is a failure of the row, and the process is no longer to be trusted.
process.on("uncaughtException", (error) => {
  tell({ type: "result", ok: false, error: `uncaught in the client: ${error && error.stack}` });
  process.exit(1);
});

async function run(order) {
  row = new Row(client, order, tell);
  const begun = Date.now();
  try {
    await row.guard(rows[order.row](row));
    tell({ type: "result", ok: true, ms: Date.now() - begun });
  } catch (error) {
    tell({ type: "result", ok: false, ms: Date.now() - begun, error: error.message });
  } finally {
    row.close();
  }
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line);
  if (message.type === "run") run(message);
  else if (message.type === "done") row.answered(message.call);
}).on("close", () => process.exit(0));

tell({ type: "ready", version: installed });
