// Runs client bundles in Chromium against a server: node run.mjs --server URL [--plant] [--out FILE] [--only REGEX].
// The page is what the server itself answers to a bad handshake, so that it has the server's origin; the driver adds the scripts to it.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { defectsOf } from "../interop/lib/defects.mjs";
import { Plant } from "../interop/lib/plant.mjs";
import { launch } from "./chromium.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({
  options: { server: { type: "string" }, plant: { type: "boolean", default: false }, out: { type: "string" }, only: { type: "string", default: "" } },
});

const BUNDLES = [
  { version: "1.7.4", eio: 3 },
  { version: "2.5.0", eio: 3 },
  { version: "4.8.4", eio: 4 },
];
const ROWS = ["text", "ack", "binary", "order"];
const columns = BUNDLES.flatMap((b) => ["polling", "websocket", "upgrade"].map((mode) => ({ ...b, mode, kind: "browser", id: `${b.version}/${mode}` })));

const begun = Date.now();
const browser = await launch();
const cells = new Map();
const defects = [];

/** runRow loads a fresh page at the origin and runs one row in it. */
async function runRow({ version, eio, mode, context }, row, origin) {
  const page = await context.newPage();
  const types = new Set(); // of bodies that crossed, as "GET type" and "POST type"
  page.on("response", async (response) => {
    const request = response.request();
    if (!response.url().includes("transport=polling")) return;
    types.add(`GET ${(response.headers()["content-type"] || "").split(";")[0]}`);
    if (request.method() === "POST") types.add(`POST ${(request.headers()["content-type"] || "").split(";")[0]}`);
  });
  const noise = [];
  page.on("pageerror", (error) => noise.push(String(error)));
  try {
    const answer = await page.goto(`${origin}/socket.io/`);
    assert.equal(answer.status(), 400, "the answer to a handshake without parameters");
    await page.addScriptTag({ path: path.join(here, "..", "interop", "node_modules", `client-${version}`, "dist", "socket.io.js") });
    await page.addScriptTag({ path: path.join(here, "page.js") });
    const started = Date.now();
    const checks = await page.evaluate(([name, m]) => window.rows[name](m), [row, mode]);
    for (const { what, got, want } of checks) {
      try {
        assert.deepStrictEqual(got, want);
      } catch {
        throw new Error(`${what}: got ${JSON.stringify(got)?.slice(0, 900)}, want ${JSON.stringify(want)?.slice(0, 400)}`);
      }
    }
    assert.ok(checks.length > 0, "the row checked nothing");
    assert.deepStrictEqual(noise, [], "errors of the page");
    // What only browsers do: revision 3 carries binary in a form of its own, both ways.
    if (row === "binary" && mode === "polling" && eio === 3)
      for (const want of ["GET application/octet-stream", "POST application/octet-stream"]) assert.ok(types.has(want), `no ${want} among ${[...types]}`);
    return { ok: true, ms: Date.now() - started };
  } catch (error) {
    return { ok: false, error: error.message.split("\n    at ")[0] };
  } finally {
    await page.close();
  }
}

/** runColumn runs the rows of a column. Each row is shown to fail with one defect; which one goes round, so that all of them get their turn. */
async function runColumn(column) {
  column.context = await browser.newContext();
  for (const row of ROWS) {
    const id = `${column.id}/${row}`;
    if (!new RegExp(flags.only).test(id)) continue;
    cells.set(id, await runRow(column, row, flags.server));
    if (!flags.plant) continue;
    const known = defectsOf(column, row);
    const defect = known[columns.indexOf(column) % known.length];
    const plant = await new Plant(flags.server, defect).listen();
    const result = await runRow(column, row, plant.url);
    await plant.close();
    const noticed = !result.ok && plant.planted > 0 && defect.expect.test(result.error);
    defects.push({ cell: id, defect: defect.name, noticed, planted: plant.planted, said: result.error || "nothing" });
  }
  await column.context.close();
}

const queue = [...columns];
await Promise.all(
  Array.from({ length: 2 }, async () => {
    for (let column; (column = queue.shift()); ) await runColumn(column);
  }),
);
const version = browser.version();
await browser.close();

const planned = columns.flatMap((column) => ROWS.map((row) => `${column.id}/${row}`));
const skipped = planned.filter((id) => !cells.has(id));
const failed = [...cells].filter(([, result]) => !result.ok);
const missed = defects.filter((d) => !d.noticed);
const width = Math.max(...columns.map((column) => column.id.length));
console.log(`${"milliseconds".padEnd(width)} ${ROWS.map((row) => row.padStart(7)).join(" ")}`);
for (const { id } of columns)
  console.log(`${id.padEnd(width)} ${ROWS.map((row) => { const r = cells.get(`${id}/${row}`); return String(!r ? "-" : r.ok ? r.ms : "FAIL").padStart(7); }).join(" ")}`);
for (const [id, result] of failed) console.log(`FAIL ${id}: ${result.error}`);
for (const d of missed) console.log(`FAIL ${d.cell} with "${d.defect}" (planted ${d.planted} times): the row says ${d.said}`);
if (flags.out) {
  fs.mkdirSync(path.dirname(flags.out), { recursive: true });
  const artifact = {
    seconds: (Date.now() - begun) / 1000,
    chromium: version,
    cells: { planned: planned.length, run: cells.size, failed: failed.length, skipped: skipped.length },
    defects: { planted: defects.length, noticed: defects.length - missed.length, list: defects },
    results: Object.fromEntries(cells),
  };
  fs.writeFileSync(flags.out, JSON.stringify(artifact, null, 1) + "\n");
}
console.log(`Chromium ${version}, ${((Date.now() - begun) / 1000).toFixed(1)} s`);
if (flags.plant) console.log(`defects planted = ${defects.length}, noticed = ${defects.length - missed.length}`);
console.log(`cells run = ${cells.size}, skipped = ${skipped.length}`);
process.exit(failed.length || missed.length || skipped.length ? 1 : 0); // see test/interop/run.mjs
