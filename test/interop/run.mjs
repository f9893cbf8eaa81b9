// Runs the interoperability matrix: node run.mjs --target PROGRAM [--plant COLUMN|all] [--only REGEX] [--jobs N] [--out FILE].
// README.md says what the matrix is. Exit 0 means that every planned cell ran and passed, and every planted defect was noticed.
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { defectsOf } from "./lib/defects.mjs";
import { columns, ROWS, usesRecovery } from "./lib/plan.mjs";
import { Plant } from "./lib/plant.mjs";
import { Relay } from "./lib/relay.mjs";
import { start } from "./lib/target.mjs";
import { Worker } from "./lib/worker.mjs";

const { values: flags } = parseArgs({
  options: {
    // The server: a program to start, or the addresses of servers that run: NAME=URL with the names of SERVERS below.
    target: { type: "string" },
    server: { type: "string", multiple: true, default: [] },
    // A server that cannot tell the parser by the first packet, such as Node's, needs a process of its own for msgpack.
    "msgpack-target": { type: "string" },
    plant: { type: "string" }, // "all", or a regular expression over CLIENT/MODE/ROW
    only: { type: "string" }, // a regular expression over CLIENT/MODE/ROW
    jobs: { type: "string", default: "6" },
    out: { type: "string" },
    verbose: { type: "boolean", default: false },
  },
});
// What each server is started with, besides --listen and --app. Only planted defects need the quick one.
const HEARTBEAT = ["--ping-interval", "1s", "--ping-timeout", "12s"];
const SERVERS = { plain: HEARTBEAT, recovery: [...HEARTBEAT, "--recovery"], quick: ["--ping-interval", "300ms", "--ping-timeout", "700ms"] };
if (!flags.target && flags.server.length === 0) {
  console.error(`run.mjs: --target PROGRAM is missing, or --server NAME=URL for ${Object.keys(SERVERS).join(", ")}`);
  process.exit(2);
}

// A wait that fails takes a whole deadline, so it may be long; rows that work never come near it. It is longer than the server takes to
// miss a client whose link was cut just when no poll was waiting.
const WAIT_MS = 30_000, ROW_MS = 100_000;

const begun = Date.now();
const seconds = () => ((Date.now() - begun) / 1000).toFixed(1);
const targets = [];
const given = Object.fromEntries(flags.server.map((pair) => pair.split(/=(.*)/s, 2)));

/** servers gives the address of each server, starting the program for those that do not run already. */
async function servers(program) {
  const running = {};
  for (const [name, args] of Object.entries(SERVERS)) {
    if (given[name]) running[name] = given[name];
    else if (program && (name !== "quick" || flags.plant)) {
      const target = await start(program, args);
      targets.push(target);
      running[name] = target.url;
    } else if (name !== "quick" || flags.plant) throw new Error(`run.mjs: --server ${name}=URL is missing`);
  }
  return running;
}

const plain = await servers(flags.target);
const urls = { plain, msgpack: flags["msgpack-target"] ? await servers(flags["msgpack-target"]) : plain };

/** runRow runs one row of a column, with a defect in between or none. */
async function runRow(worker, column, row, defect) {
  const at = urls[column.parser || "plain"];
  const closing = [];
  const through = async (hop) => (closing.push(await hop.listen()), hop);
  try {
    let plain = defect?.quick ? at.quick : at.plain;
    let recovery = at.recovery;
    let plant;
    if (defect) {
      plant = await through(new Plant(usesRecovery(row) ? recovery : plain, defect));
      if (usesRecovery(row)) recovery = plant.url;
      else plain = plant.url;
    }
    const relay = await through(new Relay(usesRecovery(row) ? recovery : plain));
    const order = {
      row,
      url: plain,
      recoveryUrl: recovery,
      relayUrl: relay.url,
      relayRecoveryUrl: relay.url,
      deadline: WAIT_MS,
    };
    const result = await worker.run(order, ROW_MS, { cut: () => relay.cut(), restore: () => relay.restore() });
    return { ...result, planted: plant?.planted };
  } finally {
    for (const hop of closing) await hop.close();
  }
}

const wanted = (pattern, column, row) => !pattern || new RegExp(pattern).test(`${column.id}/${row}`);
const cells = new Map(); // id → result
const defects = [];

async function runColumn(column) {
  const worker = new Worker(column);
  try {
    for (const row of column.rows) {
      if (!wanted(flags.only, column, row)) continue;
      const result = await runRow(worker, column, row);
      cells.set(`${column.id}/${row}`, result);
      if (flags.verbose || !result.ok) console.log(`${result.ok ? "ok  " : "FAIL"} ${column.id}/${row} ${result.ms ?? "?"} ms ${result.error || ""}`);
    }
    const plant = flags.plant === "all" ? "" : flags.plant;
    for (const row of column.rows) {
      if (plant === undefined || !wanted(flags.only, column, row) || !wanted(plant, column, row)) continue;
      for (const defect of defectsOf(column, row)) {
        const result = await runRow(worker, column, row, defect);
        const why = result.ok
          ? "the row passed with it"
          : result.planted === 0
            ? `it never struck; the row says: ${result.error}`
            : defect.expect.test(result.error)
              ? undefined
              : `the row failed for another reason: ${result.error}`;
        defects.push({ column: column.id, row, defect: defect.name, noticed: why === undefined, why, said: result.error });
        if (flags.verbose || why) console.log(`${why ? "FAIL" : "ok  "} ${column.id}/${row} with "${defect.name}": ${why || result.error.slice(0, 160)}`);
      }
    }
  } catch (error) {
    console.log(`FAIL ${column.id}: ${error.stack}`); // its cells stay missing, which fails the run
  } finally {
    column.installed = worker.version;
    await worker.stop();
  }
}

const all = columns();
const queue = [...all];
await Promise.all(
  Array.from({ length: Math.max(1, Number(flags.jobs)) }, async () => {
    for (let column; (column = queue.shift()); ) await runColumn(column);
  }),
);
const died = targets.filter((target) => !target.alive());
for (const target of targets) await target.stop();

// Not by running out of work: a connection that a balancer holds would keep the program, and Node 20 now and then turns for ever in its
// own end (nodejs/node issue 54918), one of ten times on a busy machine. What was written to a pipe is there already.
process.exit(report() ? 0 : 1);

/** report prints the result, writes the artifact and tells whether all is well. */
function report() {
  const planned = all.flatMap((column) => column.rows.map((row) => `${column.id}/${row}`));
  const skipped = planned.filter((id) => !cells.has(id));
  const failed = [...cells].filter(([, result]) => !result.ok);
  const missed = defects.filter((d) => !d.noticed);

  const width = Math.max(...all.map((column) => column.id.length));
  console.log(`\n${"milliseconds".padEnd(width)} ${ROWS.join(" ")}`);
  for (const column of all) {
    const line = ROWS.map((row) => {
      const result = cells.get(`${column.id}/${row}`);
      const said = !column.rows.includes(row) ? "" : !result ? "-" : result.ok ? String(result.ms) : "FAIL";
      return said.padStart(row.length);
    });
    console.log(`${column.id.padEnd(width)} ${line.join(" ")}`.trimEnd());
  }
  for (const [id, result] of failed) {
    console.log(`\nFAIL ${id}: ${result.error}`);
    for (const line of result.output || []) console.log(`     | ${line}`);
  }
  for (const d of missed) console.log(`\nFAIL ${d.column}/${d.row} with "${d.defect}": ${d.why}`);
  if (died.length || failed.length || missed.length)
    for (const target of targets) if (target.tail.length) console.log(`\nserver ${target.address}${died.includes(target) ? " (died)" : ""}:\n${target.tail.slice(-40).join("\n")}`);

  // A defect must have been noticed in every column, or the columns prove nothing.
  const proven = new Set(defects.filter((d) => d.noticed).map((d) => d.column));
  const unproven = flags.plant === "all" && !flags.only ? all.filter((column) => !proven.has(column.id)) : [];
  if (unproven.length) console.log(`\nFAIL no defect was noticed in: ${unproven.map((column) => column.id).join(", ")}`);

  if (flags.out) {
    fs.mkdirSync(path.dirname(flags.out), { recursive: true });
    const artifact = {
      seconds: Number(seconds()),
      cells: { planned: planned.length, run: cells.size, failed: failed.length, skipped: skipped.length },
      defects: { planted: defects.length, noticed: defects.length - missed.length },
      columns: all.map(({ id, name, kind, installed, mode, rows }) => ({
        id, client: name, kind, version: installed, mode,
        rows: Object.fromEntries(rows.map((row) => [row, cells.get(`${id}/${row}`) || { missing: true }])),
        defects: defects.filter((d) => d.column === id),
      })),
    };
    fs.writeFileSync(flags.out, JSON.stringify(artifact, null, 1) + "\n");
  }
  console.log(`\n${all.length} columns, ${seconds()} s`);
  if (flags.plant) console.log(`defects planted = ${defects.length}, noticed = ${defects.length - missed.length}`);
  console.log(`cells run = ${cells.size}, skipped = ${skipped.length}`);
  const partial = flags.only !== undefined;
  if (partial) console.log("only a part was asked for: this is no pass of the matrix");
  const bad = failed.length || missed.length || died.length || unproven.length || (skipped.length && !partial);
  return !bad;
}
