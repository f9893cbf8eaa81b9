// Starts server processes and learns their addresses.
import { spawn } from "node:child_process";
import readline from "node:readline";

const STARTUP_MS = 30_000;

/** start runs the program and resolves with {url, stop, tail} once it has printed `listening ADDR`. */
export async function start(program, flags) {
  const child = spawn(program, ["--listen", "127.0.0.1:0", "--app", "interop", ...flags], { stdio: ["pipe", "pipe", "pipe"] });
  const tail = [];
  const note = (line) => tail.push(line) > 200 && tail.shift();
  readline.createInterface({ input: child.stderr }).on("line", note);
  const exited = new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal || code)));
  const address = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${program} printed no address in ${STARTUP_MS} ms`)), STARTUP_MS);
    child.on("error", reject);
    exited.then((how) => reject(new Error(`${program} ended (${how}) before it listened:\n${tail.join("\n")}`)));
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
      note(line);
      const found = /^listening (\S+)$/.exec(line);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[1]);
    });
  });
  let alive = true;
  exited.then(() => (alive = false));
  return {
    address,
    url: `http://${address}`,
    tail,
    alive: () => alive,
    async stop() {
      child.kill("SIGTERM");
      const hard = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await exited;
      clearTimeout(hard);
    },
  };
}
