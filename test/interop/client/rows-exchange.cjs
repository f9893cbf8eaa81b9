"use strict";
// Rows about what is exchanged on a healthy connection. The table in ../README.md says what each asserts.
const crypto = require("node:crypto");
const { bytes } = require("./row.cjs");

const GREETING = ["Ünïcødé ÿ §¶", "Привет 漢字 € ‰ \u2028", "😀🚀 𝒳 🇫🇷", "aé€😀\"\\\n\u0000"];

// What the client says: each range alone, all together, and text that looks like UTF-8 read as Latin-1.
const SPOKEN = ["naïve café ÿ", "Ωμέγα Ж € 語", "🂡 𐍈 👩‍👩‍👧", "é€😀 <&> \u2029", "Ã© â‚¬ Â", "plain"];

const describe = (v) =>
  typeof v === "string"
    ? { type: "string", units: v.length, points: [...v].map((c) => c.codePointAt(0)) }
    : { type: "binary", length: v.length, sha256: crypto.createHash("sha256").update(v).digest("hex") };

/** patterns gives P(n) of the contract, as the row's client wants its binary. */
const patterns = (row) => (n) => row.binary(Array.from({ length: n }, (_, i) => (7 * i + n) % 256));

async function text(row) {
  const peer = await row.open({ listen: ["événement 😀"] });
  await row.exchange(peer, async (when) => {
    row.equal(await peer.ask("greet"), GREETING, `${when}: ack of greet`);
    row.equal(await peer.next("greeting"), GREETING, `${when}: greeting`);
    row.equal(await peer.ask("inspect", ...SPOKEN), [SPOKEN.map(describe)], `${when}: inspect`);
    const nested = { "clé": SPOKEN, deep: [[{ "キー": null, n: -0.5, big: 9007199254740991, yes: true, none: {} }], ""], "€": "" };
    row.equal(await peer.ask("echo", nested, ...SPOKEN), [nested, ...SPOKEN], `${when}: ack of echo`);
    row.equal(await peer.next("echoed"), [nested, ...SPOKEN], `${when}: echoed`);
    // Alone in their packets, since a decoder may judge packet by packet. The last looks doubly encoded, but earlier ones told the generation.
    for (const s of [...SPOKEN, "Ã©"]) row.equal(await peer.ask("inspect", s), [[describe(s)]], `${when}: inspect alone`);
    await peer.ask("direct", "événement 😀", "é");
    row.equal(await peer.next("événement 😀"), ["é"], `${when}: event with a name beyond ASCII`);
  });
}

async function ack(row) {
  const peer = await row.open();
  await row.exchange(peer, async (when) => {
    const n = [...Array(20).keys()];
    const answers = await Promise.all(n.map((i) => peer.ask("echo", i, `ack é€😀 ${i}`)));
    row.equal(answers, n.map((i) => [i, `ack é€😀 ${i}`]), `${when}: answers of echo`);
    for (const i of n) row.equal(await peer.next("echoed"), [i, `ack é€😀 ${i}`], `${when}: echoed`);
    row.equal(await peer.ask("echo"), [], `${when}: empty answer`);
    row.equal(await peer.next("echoed"), [], `${when}: empty echo`);

    const open = [];
    for (let i = 0; i < 8; i++) peer.emit("ask", i, "qué €😀");
    for (let i = 0; i < 8; i++) {
      const question = await peer.next("question");
      row.ok(typeof question.at(-1) === "function", `${when}: question carries no ack`);
      open.push(question);
    }
    row.equal(open.map((q) => q.slice(0, -1)).sort((a, b) => a[0] - b[0]), n.slice(0, 8).map((i) => [i, "qué €😀"]), `${when}: questions`);
    for (const [i, , answer] of open.reverse()) i === 0 ? answer() : i === 1 ? answer("one é€😀") : answer(i, { i }, [`é€😀 ${i}`]);
    const told = [];
    for (let i = 0; i < 8; i++) told.push(await peer.next("answered"));
    const want = n.slice(0, 8).map((i) => (i === 0 ? [] : i === 1 ? ["one é€😀"] : [i, { i }, [`é€😀 ${i}`]]));
    const key = (v) => JSON.stringify(v);
    row.equal(told.sort((a, b) => (key(a) < key(b) ? -1 : 1)), want.sort((a, b) => (key(a) < key(b) ? -1 : 1)), `${when}: answered`);
  });
}

async function binary(row) {
  const pattern = patterns(row);
  const peer = await row.open();
  await row.exchange(peer, async (when) => {
    for (const n of [0, 1, 125, 126, 70_000, 200_000]) {
      const [whole, inner] = await peer.ask("bytes", n);
      row.equal(describe(bytes(whole)), describe(pattern(n)), `${when}: ack of bytes ${n}`);
      row.equal(inner, { inner: pattern(5) }, `${when}: nested ack of bytes ${n}`);
      const [sent, around] = await peer.next("bytes");
      row.equal(describe(bytes(sent)), describe(pattern(n)), `${when}: bytes ${n}`);
      row.equal(around, { n, inner: [pattern(3), null], note: "é€😀" }, `${when}: nested bytes ${n}`);
      row.equal(await peer.ask("inspect", pattern(n), "é€😀", pattern(2)), [[pattern(n), "é€😀", pattern(2)].map(describe)], `${when}: inspect ${n}`);
    }
    const nested = { a: [pattern(4), { b: pattern(9), "é": "€😀" }], c: pattern(1) };
    row.equal(await peer.ask("echo", pattern(6), nested), [pattern(6), nested], `${when}: ack of echo`);
    row.equal(await peer.next("echoed"), [pattern(6), nested], `${when}: echoed`);

    peer.emit("ask", pattern(7), "binary?");
    const [question, , answer] = await peer.next("question");
    row.equal(question, pattern(7), `${when}: question`);
    answer(pattern(8), { deep: [pattern(10)] });
    row.equal(await peer.next("answered"), [pattern(8), { deep: [pattern(10)] }], `${when}: answered`);
  });
}

async function namespace(row) {
  const room = `r ${Math.random()}`; // columns share the server
  const token = "tök€n 😀&=1";
  const [chat, root] = await row.openBoth({ nsp: "/chat", auth: { token } });
  await row.exchange(chat, async (when) => {
    const who = await chat.whoami();
    row.equal([who.nsp, who.eio], ["/chat", row.eio], `${when}: whoami`);
    const engine = chat.socket.io.engine.id;
    const { id } = await root.whoami();
    if (row.eio === 4) {
      row.equal(who.auth, { token }, `${when}: auth`);
      row.equal(who.id, chat.socket.id, `${when}: id`);
      row.ok(new Set([who.id, id, engine]).size === 3, `${when}: ids of namespaces and engine must differ: ${[who.id, id, engine]}`);
    } else {
      row.equal(who.query.token, token, `${when}: query`);
      if (row.version !== "1.3.5") row.equal(who.auth, { token }, `${when}: auth`);
      row.equal([who.id, id], [`/chat#${engine}`, engine], `${when}: ids`);
    }
    const [a, b] = await Promise.all([chat.ask("echo", "in chat é"), root.ask("echo", "in root é")]);
    row.equal([a, b], [["in chat é"], ["in root é"]], `${when}: answers`);
    row.equal([chat.box("echoed").splice(0), root.box("echoed").splice(0)], [[["in chat é"]], [["in root é"]]], `${when}: events of each namespace`);
    await chat.ask("join", room);
    await chat.ask("broadcast", room, "news", row.binary(1, 2, 255), "é€😀");
    row.equal(await chat.next("news"), [row.binary(1, 2, 255), "é€😀"], `${when}: binary event in a namespace`);
    await root.ask("echo", "after");
    row.equal([root.box("news"), root.box("echoed").splice(0)], [[], [["after"]]], `${when}: nothing else for the root`);
  });
}

/** tried asks for a namespace that will be refused: with a new socket, or once more with the one of the first time. */
async function tried(row, peers, root, nsp) {
  const peer = peers[nsp];
  if (peer) peer.socket.connect();
  else peers[nsp] = await row.open({ nsp, share: root, mayFail: true, wait: false });
  return peers[nsp];
}

async function refuse(row) {
  const root = await row.open();
  const peers = {};
  await row.exchange(root, async (when) => {
    const message = "not today: é€😀";
    const data = { code: 7, text: "é€😀", list: [1, null, true] };
    const want = { "/refuse": row.eio === 4 ? { message, data } : data, "/refuse-plain": row.eio === 4 ? { message } : message };
    for (const nsp of ["/refuse", "/refuse-plain"]) {
      const peer = await tried(row, peers, root, nsp);
      row.equal(await peer.next("refused"), [want[nsp]], `${when}: refusal of ${nsp}`);
      row.ok(!peer.socket.connected, `${when}: ${nsp} counts as connected`);
    }
    row.equal(await root.ask("echo", "still here"), ["still here"], `${when}: the root after a refusal`);
  });
}

async function unknown(row) {
  const root = await row.open();
  const peers = {};
  await row.exchange(root, async (when) => {
    const peer = await tried(row, peers, root, "/nobody");
    row.equal(await peer.next("refused"), [row.eio === 4 ? { message: "Invalid namespace" } : "Invalid namespace"], `${when}: refusal`);
    row.equal(await root.ask("echo", "still here"), ["still here"], `${when}: the root after it`);
  });
}

// Numbers go out at any time with up to eight unanswered, from before the connection stands until well past the switch.
async function order(row) {
  const peer = await row.open({ wait: false });
  let sent = 0, answered = 0, back = 0, last = Infinity, finish;
  const done = new Promise((resolve) => (finish = resolve));
  const send = () => {
    const n = sent++;
    peer.socket.emit("seq", n, (m) => {
      if (m !== n || n !== answered) return row.fail(`ack of ${n} says ${m}, after ${answered} others`);
      answered++;
      pump();
    });
  };
  const pump = () => {
    while (sent < last && sent - answered < 8) send();
    if (answered === last && back === last) finish();
  };
  peer.socket.on("seq-back", (n) => {
    if (n !== back) return row.fail(`seq-back ${n} where ${back} was due`);
    back++;
    pump();
  });
  pump();
  await peer.connected();
  if (row.mode === "upgrade") row.equal(peer.socket.io.engine.id.length > 0, true, "engine id");
  await peer.settled();
  last = sent + 200;
  pump();
  await row.wait("all numbers there and back", (resolve) => void done.then(resolve));
  row.equal(await peer.ask("seq-report"), [[...Array(last).keys()]], "what the server received");
  await peer.settled();
}

async function heartbeat(row) {
  const peer = await row.open();
  await peer.settled();
  const { engine } = peer.socket.io;
  const beat = row.eio === 3 ? "pong" : "ping"; // what the server sends
  let beats = 0;
  await row.wait("three heartbeats", (resolve) => {
    const count = (packet) => packet.type === beat && ++beats === 3 && resolve();
    engine.on("packet", count);
    return () => engine.off("packet", count);
  });
  row.equal(await peer.ask("echo", "alive é"), ["alive é"], "echo after heartbeats");
  await peer.settled();
}

// More than one request may hold, waiting when the connection opens.
async function batch(row) {
  const large = Array.from({ length: 40 }, (_, i) => Buffer.alloc(45_000, i));
  const peer = await row.open({ wait: false });
  const answers = await Promise.all(large.map((data) => peer.ask("inspect", data)));
  large.forEach((data, i) => row.equal(answers[i], [[describe(data)]], `answer ${i}`));
  await peer.settled();
}

module.exports = { text, ack, binary, namespace, refuse, unknown, order, heartbeat, batch };
