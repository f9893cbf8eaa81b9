// Clicks through the demo: node run.mjs --with URL --without URL --dist DIR --cdn URL --out DIR.
// "with" serves the client itself; "without" names the network of caches, whose part this program plays.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { launch } from "../browser/chromium.mjs";

const { values: flags } = parseArgs({
  options: { with: { type: "string" }, without: { type: "string" }, dist: { type: "string" }, cdn: { type: "string" }, out: { type: "string" } },
});
const PATIENCE = 20_000;
const browser = await launch();
const bundle = fs.readFileSync(path.join(flags.dist, "socket.io.min.js"));

/** open loads the page for one person; noise is what the browser complained of. */
async function open(url, options = {}, prepare = async () => {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const noise = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && noise.push(m.text()));
  page.on("pageerror", (error) => noise.push(String(error)));
  await prepare(page);
  await page.goto(url);
  return { page, noise, close: () => context.close() };
}

/** enter joins as somebody, by keyboard alone, and waits for the upgrade: who leaves in the middle of it makes the browser complain. */
async function enter(person, name, room = "lobby") {
  const { page } = person;
  await page.focus("#name");
  await page.keyboard.type(name);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Control+A");
  await page.keyboard.type(room);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#chat:not([hidden])");
  await page.waitForFunction((r) => document.getElementById("room-name").textContent === r, room);
  await sees(person, "#status", "connected by websocket");
}
const say = async ({ page }, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};
const sees = ({ page }, selector, text) => page.waitForFunction(([s, t]) => [...document.querySelectorAll(s)].some((e) => e.textContent.includes(t)), [selector, text]);
const people = ({ page }, ...names) => page.waitForFunction((want) => JSON.stringify([...document.querySelectorAll("#people li")].map((e) => e.textContent)) === want, JSON.stringify(names));
const texts = ({ page }, selector) => page.locator(selector).allTextContents();
const quiet = (...persons) => persons.forEach((p) => assert.deepEqual(p.noise, [], "the browser complained"));
const shoot = ({ page }, name) => page.screenshot({ path: path.join(flags.out, `${name}.png`), fullPage: true });

const two = async () => {
  const ada = await open(flags.with, { viewport: { width: 1100, height: 700 } });
  await enter(ada, "Ada");
  const bob = await open(flags.with, { viewport: { width: 400, height: 750 }, colorScheme: "dark" });
  await enter(bob, "Bob");
  await people(ada, "Ada", "Bob");
  await people(bob, "Ada", "Bob");
  return [ada, bob];
};
const end = (...persons) => Promise.all(persons.map((p) => p.close()));

const scenes = {
  async "a message is confirmed and arrives as text"() {
    const [ada, bob] = await two();
    await say(ada, "hello <b>Bob</b> é€😀");
    await ada.page.waitForSelector("#messages .mine .mark[data-state=sent]");
    assert.match((await texts(ada, "#messages .mine"))[0], /✓$/);
    await sees(bob, "#messages .theirs", "Adahello <b>Bob</b> é€😀");
    assert.equal(await bob.page.locator("#messages b").count(), 0);
    await bob.page.locator("#text").pressSequentially("an ans");
    await sees(ada, "#typing", "Bob is typing");
    await shoot(ada, "wide");
    await bob.page.fill("#text", "");
    await ada.page.waitForFunction(() => document.getElementById("typing").textContent === "");
    quiet(ada, bob);
    await end(ada, bob);
  },
  async "who loses the connection comes back and has missed nothing"() {
    const [ada, bob] = await two();
    await say(ada, "before");
    await sees(bob, "#messages .theirs", "before");
    await bob.page.click("#drop");
    await say(ada, "meanwhile");
    await sees(bob, "#messages .note", "Back again, and nothing was missed.");
    await sees(bob, "#messages .theirs", "meanwhile");
    await people(ada, "Ada", "Bob");
    await say(bob, "here I am");
    await sees(ada, "#messages .theirs", "here I am");
    assert.deepEqual((await texts(bob, "#messages .theirs")).map((t) => t.replace(/\d.*/, "")), ["Adabefore", "Adameanwhile"]);
    await shoot(bob, "narrow-dark");
    quiet(ada, bob);
    await end(ada, bob);
  },
  async "the state of the connection is shown while there is none"() {
    const ada = await open(flags.with);
    await enter(ada, "Ada", "alone");
    await ada.page.context().setOffline(true);
    await ada.page.click("#drop");
    await sees(ada, "#messages .note", "Connection lost.");
    await ada.page.waitForSelector("#status[data-state=waiting]");
    await say(ada, "said offline");
    await ada.page.waitForSelector("#messages .mine .mark[data-state=failed] button");
    await shoot(ada, "offline");
    await ada.page.context().setOffline(false);
    await ada.page.waitForSelector("#status[data-state=connected]");
    await sees(ada, "#messages .note", "Back again");
    await ada.page.click("#messages .mine .mark button");
    await ada.page.waitForSelector("#messages .mine .mark[data-state=sent]");
    await end(ada);
  },
  async "rooms are left, rejoined and changed"() {
    const [ada, bob] = await two();
    await bob.page.click("#leave");
    await sees(bob, "#room-name", "Not in a room");
    await people(ada, "Ada");
    assert.equal(await bob.page.isDisabled("#text"), true);
    await bob.page.click("#rejoin");
    await people(ada, "Ada", "Bob");
    await bob.page.fill("#other-room", "garden");
    await bob.page.press("#other-room", "Enter");
    await people(bob, "Bob");
    await people(ada, "Ada");
    await sees(ada, "#rooms button", "garden");
    await say(ada, "not for the garden");
    await ada.page.locator("#rooms button", { hasText: "garden" }).click();
    await people(bob, "Ada", "Bob");
    await say(ada, "for the garden");
    await sees(bob, "#messages .theirs", "for the garden");
    assert.equal((await texts(bob, "#messages .theirs")).length, 1);
    quiet(ada, bob);
    await end(ada);
    await people(bob, "Bob");
    quiet(bob);
    await end(bob);
  },
  async "a name that does not fit is refused with a reason"() {
    const eve = await open(flags.with);
    await eve.page.evaluate(() => document.getElementById("name").removeAttribute("maxlength"));
    await eve.page.fill("#name", "x".repeat(33));
    await eve.page.click("#enter button");
    await sees(eve, "#refused", "a name has 1 to 32 characters");
    await eve.page.fill("#name", "Eve");
    await eve.page.click("#enter button");
    await people(eve, "Eve");
    // A refusal ends the connection, perhaps while its upgrade begins; of that, and of nothing else, the browser may complain.
    eve.noise = eve.noise.filter((text) => !text.endsWith("WebSocket is closed before the connection is established."));
    quiet(eve);
    await end(eve);
  },
  async "everything has a name for those who do not see it"() {
    const ada = await open(flags.with);
    const nameless = () =>
      ada.page.evaluate(() =>
        [...document.querySelectorAll("input, button, nav, aside, main section, [role=log]")]
          .filter((e) => e.checkVisibility())
          .filter((e) => !(e.labels?.length || e.getAttribute("aria-label") || document.getElementById(e.getAttribute("aria-labelledby")) || (e.tagName === "BUTTON" && e.textContent.trim())))
          .map((e) => e.outerHTML.slice(0, 80)),
      );
    assert.deepEqual(await nameless(), []);
    await enter(ada, "Ada", "conservatory");
    assert.deepEqual(await nameless(), []);
    assert.equal(await ada.page.evaluate(() => document.documentElement.lang), "en");
    assert.equal(await ada.page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true);
    await ada.page.setViewportSize({ width: 320, height: 640 });
    assert.equal(await ada.page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true, "wider than a small screen");
    await ada.page.setViewportSize({ width: 360, height: 640 });
    const lines = await ada.page.evaluate(() => {
      const h = document.getElementById("room-name");
      return Math.round(h.getBoundingClientRect().height / parseFloat(getComputedStyle(h).lineHeight));
    });
    assert.equal(lines, 1, "the name of the room is broken on a small screen");
    await end(ada);
  },
  async "the client from the network of caches passes the browser's check"() {
    const ada = await open(flags.without, {}, (page) => page.route(flags.cdn, (route) => route.fulfill({ body: bundle, contentType: "text/javascript", headers: { "Access-Control-Allow-Origin": "*" } })));
    await enter(ada, "Ada");
    await people(ada, "Ada");
    quiet(ada);
    await end(ada);
  },
  async "a changed client is not run, and the page says so"() {
    const changed = Buffer.concat([bundle, Buffer.from(";window.changed=true")]);
    const ada = await open(flags.without, {}, (page) => page.route(flags.cdn, (route) => route.fulfill({ body: changed, contentType: "text/javascript", headers: { "Access-Control-Allow-Origin": "*" } })));
    await ada.page.waitForSelector("#no-client:not([hidden])");
    assert.equal(await ada.page.evaluate(() => window.changed), undefined);
    await end(ada);
  },
  async "without a way to the client the page says what to do"() {
    const ada = await open(flags.without, {}, (page) => page.route("https://**", (route) => route.abort()));
    await ada.page.waitForSelector("#no-client:not([hidden])");
    assert.match((await texts(ada, "#no-client"))[0], /npm install socket\.io-client/);
    assert.equal(await ada.page.isVisible("#enter"), false);
    await shoot(ada, "no-client");
    await end(ada);
  },
};

let failed = 0;
for (const [name, scene] of Object.entries(scenes)) {
  const begun = Date.now();
  try {
    await scene();
    console.log(`${String(Date.now() - begun).padStart(6)} ms  ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.stack}`);
  }
}
await browser.close();
console.log(`cells run = ${Object.keys(scenes).length}, skipped = 0`);
console.log("defects planted = 0, noticed = 0");
process.exit(failed ? 1 : 0); // see test/interop/run.mjs
