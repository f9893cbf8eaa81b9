// Clicks through the demo of siod dev as two people would: node demo.mjs --siod PROGRAM --pictures DIR.
// Each step is a cell; steps build on one another, so those after a failed one are skipped, and the run fails.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { launch } from "./chromium.mjs";
import { dev } from "./siod.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({ options: { siod: { type: "string" }, pictures: { type: "string" } } });
const dist = path.join(here, "..", "interop", "node_modules", "client-4.8.4", "dist");
const DEADLINE = 30_000;

const browser = await launch();
fs.mkdirSync(flags.pictures, { recursive: true });
const picture = (page, name) => page.screenshot({ path: path.join(flags.pictures, `${name}.png`) });

/** person opens the demo in a window of its own. Errors of the page end up in page.noise. */
async function person(url, options) {
  const page = await (await browser.newContext({ viewport: { width: 1000, height: 640 }, ...options })).newPage();
  page.setDefaultTimeout(DEADLINE);
  page.noise = [];
  page.on("pageerror", (error) => page.noise.push(String(error)));
  page.on("console", (message) => message.type() === "error" && page.noise.push(message.text()));
  if (url) await page.goto(`${url}/`);
  return page;
}

async function enter(page, name, room = "lobby") {
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Room", { exact: true }).fill(room);
  await page.getByRole("button", { name: "Join", exact: true }).click();
}

async function say(page, text) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

const theirs = (page, text) => page.locator("#messages .theirs", { hasText: text });
const seen = (locator) => locator.first().waitFor({ timeout: DEADLINE });
const note = (page, text) => seen(page.locator("#messages .note", { hasText: text }));
/** texts gives what others said, without name and time. */
const texts = (page) =>
  page.locator("#messages .theirs").evaluateAll((lines) => lines.map((li) => [...li.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).map((n) => n.data).join("")));
const people = (page) => page.locator("#people li").allTextContents();
/** until waits for a value of the page to become the wanted one. */
async function until(value, want, what) {
  for (const end = Date.now() + DEADLINE; ; ) {
    const got = await value();
    try {
      return assert.deepStrictEqual(got, want);
    } catch (error) {
      if (Date.now() > end) throw new Error(`${what}: ${error.message}`);
      await new Promise(requestFrame);
    }
  }
}
const requestFrame = (resolve) => setTimeout(resolve, 20);

const LONG = "Grüße, κόσμε, мир, 😀 and <b>no markup</b> & no “&amp;”";
let server, ada, grace;

const steps = {
  async "the page loads and asks for a name"() {
    server = await dev(flags.siod, "--client-bundle", dist);
    ada = await person(server.url);
    grace = await person(server.url);
    await seen(ada.getByRole("heading", { name: "Come in" }));
    await picture(ada, "demo-enter");
  },
  async "a name of blanks is refused, and can be mended"() {
    await enter(ada, "   ");
    await seen(ada.locator("#refused", { hasText: "a name has 1 to 32 characters" }));
  },
  async "two people meet in a room"() {
    await enter(ada, "Ada");
    await seen(ada.locator("#room-name", { hasText: "lobby" }));
    await enter(grace, "Grace 😀");
    await note(ada, "Grace 😀 came in.");
    for (const page of [ada, grace]) await until(() => people(page), ["Ada", "Grace 😀"], "people");
  },
  async "both upgrade to WebSocket"() {
    for (const page of [ada, grace]) await seen(page.locator("#status", { hasText: "connected by websocket" }));
  },
  async "what one says the other reads, and the server confirms"() {
    await say(ada, LONG);
    await seen(theirs(grace, LONG));
    await say(grace, "Hello, Ada ✨");
    await seen(theirs(ada, "Hello, Ada ✨"));
    for (const page of [ada, grace]) await seen(page.locator("#messages .mine .mark[data-state=sent]"));
    assert.deepStrictEqual([await texts(grace), await texts(ada)], [[LONG], ["Hello, Ada ✨"]]);
  },
  async "typing is seen, and ends with the message"() {
    await ada.getByLabel("Message", { exact: true }).pressSequentially("thinking");
    await seen(grace.locator("#typing", { hasText: "Ada is typing…" }));
    await picture(grace, "demo-typing");
    await ada.getByRole("button", { name: "Send" }).click();
    await seen(theirs(grace, "thinking"));
    await until(() => grace.locator("#typing").textContent(), "", "typing");
  },
  async "a dropped connection misses nothing"() {
    await grace.getByRole("button", { name: "Drop connection" }).click();
    await note(grace, "Connection lost.");
    for (const n of [1, 2, 3]) await say(ada, `meanwhile ${n}`);
    await note(grace, "Back again, and nothing was missed.");
    await say(ada, "and after");
    await seen(theirs(grace, "and after"));
    assert.deepStrictEqual(await texts(grace), [LONG, "thinking", "meanwhile 1", "meanwhile 2", "meanwhile 3", "and after"]);
    await until(() => people(ada), ["Ada", "Grace 😀"], "people");
  },
  async "rooms are apart"() {
    await grace.locator("#other-room").fill("библиотека");
    await grace.getByRole("button", { name: "Go" }).click();
    await seen(grace.locator("#room-name", { hasText: "библиотека" }));
    await note(ada, "Grace 😀 went.");
    await say(ada, "nobody hears this");
    await seen(ada.locator("#messages .mine", { hasText: "nobody hears this" }).locator(".mark[data-state=sent]"));
    await grace.locator("#rooms button", { hasText: "lobby" }).click();
    await note(ada, "Grace 😀 came in.");
    await say(ada, "welcome back");
    await seen(theirs(grace, "welcome back"));
    assert.deepStrictEqual(await texts(grace), ["welcome back"]);
  },
  async "somebody who closes the window is gone"() {
    await picture(ada, "demo-chat");
    await picture(grace, "demo-chat-other");
    await grace.context().close();
    await until(() => people(ada), ["Ada"], "people");
  },
  async "the page fits a phone"() {
    const phone = await person(server.url, { viewport: { width: 360, height: 640 } });
    await enter(phone, "Pocket");
    await say(phone, LONG);
    await seen(theirs(ada, LONG));
    await picture(phone, "demo-phone");
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wide, 0, "pixels beyond the width of the screen");
    assert.deepStrictEqual(phone.noise, [], "errors in the page's console");
    await phone.context().close();
  },
  async "no error in the consoles"() {
    assert.deepStrictEqual([ada.noise, grace.noise], [[], []]);
    await ada.context().close();
  },
  async "the server ends at once when told"() {
    assert.equal(await server.stop(), 0, `exit code\n${server.said.join("\n")}`);
  },
  async "the client from the public network passes the page's check of integrity"() {
    server = await dev(flags.siod);
    const page = await person();
    const asked = [];
    await page.route(/^https:/, (route) => {
      asked.push(route.request().url());
      route.fulfill({ path: path.join(dist, "socket.io.min.js"), contentType: "text/javascript", headers: { "access-control-allow-origin": "*" } });
    });
    await page.goto(`${server.url}/`);
    await enter(page, "Ada");
    await seen(page.locator("#room-name", { hasText: "lobby" }));
    assert.equal(asked.length, 1, `asked for ${asked}`);
    assert.deepStrictEqual(page.noise, [], "errors in the page's console");
    await page.context().close();
  },
  async "another file in its place is refused, and the page says what to do"() {
    const page = await person();
    await page.route(/^https:/, (route) => route.fulfill({ body: "window.io = () => alert('not the client')", contentType: "text/javascript", headers: { "access-control-allow-origin": "*" } }));
    await page.goto(`${server.url}/`);
    await seen(page.getByRole("heading", { name: "The Socket.IO client could not be loaded" }));
    assert.ok(page.noise.some((line) => /integrity/.test(line)), `Chromium says nothing of integrity: ${page.noise}`);
    await picture(page, "demo-no-client");
    await page.context().close();
    assert.equal(await server.stop(), 0, "exit code");
  },
};

let run = 0, failed = 0;
for (const [name, step] of Object.entries(steps)) {
  const begun = Date.now();
  run++;
  try {
    await step();
    console.log(`ok   ${String(Date.now() - begun).padStart(6)} ms  ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.stack}`);
    for (const [who, page] of Object.entries({ ada, grace })) if (page && !page.isClosed()) await picture(page, `demo-failed-${who}`);
    await server?.stop();
    break;
  }
}
await browser.close();
console.log(`cells run = ${run}, skipped = ${Object.keys(steps).length - run}`);
process.exit(failed ? 1 : 0); // see test/interop/run.mjs
