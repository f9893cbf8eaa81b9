// Starts siod dev for the demo's tests.
import { spawn } from "node:child_process";
import readline from "node:readline";

const STARTUP_MS = 30_000;

/** dev runs `siod dev` and resolves with {url, stop} once it has said where its demo is. stop gives the exit code. */
export async function dev(program, ...args) {
  const child = spawn(program, ["dev", "--listen", "127.0.0.1:0", "--internal-listen=", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const said = [];
  const exited = new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code)));
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`siod dev did not say where its demo is:\n${said.join("\n")}`)), STARTUP_MS);
    exited.then((how) => reject(new Error(`siod dev ended (${how}):\n${said.join("\n")}`)));
    child.on("error", reject);
    readline.createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      const found = /^\s+demo\s+(http:\S+?)\/\s/.exec(line);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[1]);
    });
  });
  return {
    url,
    said,
    stop() {
      child.kill("SIGTERM");
      const hard = setTimeout(() => child.kill("SIGKILL"), STARTUP_MS);
      return exited.finally(() => clearTimeout(hard));
    },
  };
}
