// A column's process, seen from the runner: rows go in on stdin, results come out on descriptor 3, one JSON object a line.
import { spawn } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

const here = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const STARTUP_MS = 60_000;

function command(column) {
  const args = [column.mode, column.parser || "plain"];
  if (column.kind === "python") return ["/usr/bin/python3", ["-u", "-B", path.join(here, "python", "main.py"), column.flavour, ...args]];
  return [process.execPath, [path.join(here, "client", "main.cjs"), column.version, ...args]];
}

export class Worker {
  constructor(column) {
    this.column = column;
    this.output = [];
  }

  async start() {
    const [program, args] = command(this.column);
    this.child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe", "pipe"], cwd: here });
    this.child.stdin.on("error", () => {}); // the exit tells more
    for (const stream of [this.child.stdout, this.child.stderr])
      readline.createInterface({ input: stream }).on("line", (line) => this.output.push(line) > 60 && this.output.shift());
    this.exited = new Promise((resolve) => this.child.on("exit", (code, signal) => resolve(signal || code)));
    this.exited.then((how) => this.settle({ type: "result", ok: false, error: `the client's process ended: ${how}`, dead: true }));
    readline.createInterface({ input: this.child.stdio[3] }).on("line", (line) => this.hear(JSON.parse(line)));
    const ready = await this.answer(STARTUP_MS, "start of the client's process");
    if (ready.type !== "ready") throw new Error(`${this.column.id}: ${ready.error}\n${this.output.join("\n")}`);
    this.version = ready.version;
    if (this.column.version && ready.version !== this.column.version)
      throw new Error(`${this.column.id}: the installed client is ${ready.version}, the matrix names ${this.column.version}`);
  }

  /** run runs one row; calls answers what the row asks of the harness. A row that never ends costs the process its life. */
  async run(order, ms, calls) {
    if (!this.child || this.dead) {
      this.dead = false;
      await this.start();
    }
    this.calls = calls;
    this.output.length = 0;
    this.tell({ type: "run", ...order });
    const result = await this.answer(ms, "the row");
    if (!result.ok && (result.dead || result.timedOut || /^uncaught/.test(result.error))) {
      this.dead = true;
      this.child.kill("SIGKILL");
      await this.exited;
    }
    if (!result.ok && this.output.length) result.output = [...this.output];
    return result;
  }

  answer(ms, what) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.settle({ type: "result", ok: false, error: `${what}: not ended within ${ms} ms`, timedOut: true }), ms);
      this.settle = (message) => {
        clearTimeout(timer);
        this.settle = () => {};
        resolve(message);
      };
    });
  }

  async hear(message) {
    if (message.type !== "call") return this.settle(message);
    await this.calls[message.name]();
    this.tell({ type: "done", call: message.call });
  }

  tell(message) {
    this.child.stdin.write(JSON.stringify(message) + "\n");
  }

  async stop() {
    if (!this.child) return;
    this.child.stdin.end();
    const hard = setTimeout(() => this.child.kill("SIGKILL"), 5_000);
    await this.exited;
    clearTimeout(hard);
  }
}
