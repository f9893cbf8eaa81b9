// Runs in the page, beside a client bundle (the global io). Each row returns a list of {what, got, want}; the driver compares them.
// The rows are those of ../interop/client/rows-exchange.cjs that a browser does differently: XHR, browser WebSocket, ArrayBuffer.
window.rows = (() => {
  const GREETING = ["Ünïcødé ÿ §¶", "Привет 漢字 € ‰ \u2028", "😀🚀 𝒳 🇫🇷", 'aé€😀"\\\n\u0000'];
  const SPOKEN = ["naïve café ÿ", "Ωμέγα Ж € 語", "🂡 𐍈 👩‍👩‍👧", "é€😀 <&> \u2029", "Ã© â‚¬ Â", "plain"];
  const DEADLINE = 30_000;

  const pattern = (n) => Uint8Array.from({ length: n }, (_, i) => (7 * i + n) % 256).buffer;
  const hex = (buffer) => Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, "0")).join("");
  const describe = async (v) =>
    typeof v === "string"
      ? { type: "string", units: v.length, points: [...v].map((c) => c.codePointAt(0)) }
      : { type: "binary", length: v.byteLength, sha256: hex(await crypto.subtle.digest("SHA-256", v)) };
  const plain = (v) => {
    if (v instanceof ArrayBuffer) return { binary: hex(v) };
    if (Array.isArray(v)) return v.map(plain);
    return v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)])) : v;
  };

  const wait = (what, failed, start) =>
    Promise.race([failed, new Promise((resolve, reject) => (setTimeout(() => reject(new Error(`${what}: nothing within ${DEADLINE} ms`)), DEADLINE), start(resolve, reject)))]);

  /** peer connects in a mode and gives what rows need. */
  async function peer(mode) {
    const socket = io(location.origin, { forceNew: true, reconnection: false, transports: mode === "upgrade" ? ["polling", "websocket"] : [mode] });
    let closing = false;
    const failed = new Promise((_, reject) => {
      for (const event of ["disconnect", "error", "connect_error"]) socket.on(event, (why) => closing || reject(new Error(`${event}: ${(why && why.message) || why}`)));
    });
    failed.catch(() => {});
    const boxes = {};
    const next = (name) => boxes[name].shift() || wait(`event ${name}`, failed, (resolve) => (boxes[name].waiting = resolve));
    for (const name of ["echoed", "greeting", "bytes", "question", "answered"]) {
      boxes[name] = [];
      socket.on(name, (...args) => {
        const { waiting } = boxes[name];
        boxes[name].waiting = undefined;
        if (waiting) waiting(args);
        else boxes[name].push(args);
      });
    }
    const ask = (event, ...args) => wait(`ack of ${event}`, failed, (resolve) => void socket.emit(event, ...args, (...answer) => resolve(answer)));
    const p = {
      socket, failed, next, ask,
      async settled() {
        const { engine } = socket.io;
        if (mode === "upgrade" && engine.transport.name !== "websocket")
          await wait("upgrade", failed, (resolve, reject) => (engine.on("upgrade", resolve), engine.on("upgradeError", (e) => reject(new Error(`upgrade failed: ${e.message}`)))));
        return [engine.transport.name, (await ask("whoami"))[0].transport];
      },
      close: () => ((closing = true), socket.disconnect()),
    };
    await wait("connect", failed, (resolve) => void socket.on("connect", resolve));
    return p;
  }

  /** exchanged runs body at once and, in upgrade mode, again after the switch; it adds the check of the transport. */
  async function exchanged(mode, body) {
    const p = await peer(mode);
    const checks = [];
    const check = (what, got, want) => checks.push({ what, got: plain(got), want: plain(want) });
    await body(p, (what, ...rest) => check(`at once: ${what}`, ...rest));
    const want = mode === "upgrade" ? "websocket" : mode;
    check("transport of client and server", await p.settled(), [want, want]);
    if (mode === "upgrade") await body(p, (what, ...rest) => check(`upgraded: ${what}`, ...rest));
    p.close();
    return checks;
  }

  const text = (mode) =>
    exchanged(mode, async (p, check) => {
      check("ack of greet", await p.ask("greet"), GREETING);
      check("greeting", await p.next("greeting"), GREETING);
      check("inspect", await p.ask("inspect", ...SPOKEN), [await Promise.all(SPOKEN.map(describe))]);
      check("ack of echo", await p.ask("echo", { "clé": SPOKEN }, ...SPOKEN), [{ "clé": SPOKEN }, ...SPOKEN]);
      check("echoed", await p.next("echoed"), [{ "clé": SPOKEN }, ...SPOKEN]);
      for (const s of [...SPOKEN, "Ã©"]) check("inspect alone", await p.ask("inspect", s), [[await describe(s)]]);
    });

  const ack = (mode) =>
    exchanged(mode, async (p, check) => {
      const n = [...Array(20).keys()];
      check("answers of echo", await Promise.all(n.map((i) => p.ask("echo", i, `ack é€😀 ${i}`))), n.map((i) => [i, `ack é€😀 ${i}`]));
      for (const i of n) check("echoed", await p.next("echoed"), [i, `ack é€😀 ${i}`]);
      for (let i = 0; i < 8; i++) p.socket.emit("ask", i, "qué €😀");
      const questions = [];
      for (let i = 0; i < 8; i++) questions.push(await p.next("question"));
      for (const [i, , answer] of questions.reverse()) answer(i, [`é€😀 ${i}`]);
      const told = [];
      for (let i = 0; i < 8; i++) told.push(await p.next("answered"));
      check("answered", told.sort((a, b) => a[0] - b[0]), n.slice(0, 8).map((i) => [i, [`é€😀 ${i}`]]));
    });

  const binary = (mode) =>
    exchanged(mode, async (p, check) => {
      for (const n of [0, 1, 126, 70_000]) {
        const [whole, inner] = await p.ask("bytes", n);
        check(`ack of bytes ${n}`, await describe(whole), await describe(pattern(n)));
        check(`nested ack of bytes ${n}`, inner, { inner: pattern(5) });
        const [sent, around] = await p.next("bytes");
        check(`bytes ${n}`, await describe(sent), await describe(pattern(n)));
        check(`nested bytes ${n}`, around, { n, inner: [pattern(3), null], note: "é€😀" });
        check(`inspect ${n}`, await p.ask("inspect", pattern(n), "é€😀", pattern(2)), [await Promise.all([pattern(n), "é€😀", pattern(2)].map(describe))]);
      }
      p.socket.emit("ask", pattern(7), "binary?");
      const [question, , answer] = await p.next("question");
      check("question", question, pattern(7));
      answer(pattern(8), { deep: [pattern(10)] });
      check("answered", await p.next("answered"), [pattern(8), { deep: [pattern(10)] }]);
    });

  // Numbers both ways without pause, in upgrade mode until well past the switch.
  const order = async (mode) => {
    const p = await peer(mode);
    let sent = 0, answered = 0, back = 0, last = Infinity, finish, fail;
    const done = new Promise((resolve, reject) => ((finish = resolve), (fail = (why) => reject(new Error(why)))));
    done.catch(() => {});
    const pump = () => {
      while (sent < last && sent - answered < 8) {
        const n = sent++;
        p.socket.emit("seq", n, (m) => {
          if (m !== n || n !== answered) return fail(`ack of ${n} says ${m}, after ${answered} others`);
          answered++;
          pump();
        });
      }
      if (answered === last && back === last) finish();
    };
    p.socket.on("seq-back", (n) => {
      if (n !== back) return fail(`seq-back ${n} where ${back} was due`);
      back++;
      pump();
    });
    pump();
    const settled = await p.settled();
    last = sent + 200;
    pump();
    await wait("all numbers there and back", p.failed, (resolve, reject) => void done.then(resolve, reject));
    const want = mode === "upgrade" ? "websocket" : mode;
    const checks = [
      { what: "transport of client and server", got: settled, want: [want, want] },
      { what: "what the server received", got: await p.ask("seq-report"), want: [[...Array(last).keys()]] },
    ];
    p.close();
    return checks;
  };

  return { text, ack, binary, order };
})();
