// A person with a browser: looks at the pages of a running server, and says what is wrong with them.
//
//   node pages.mjs SCENARIO URL FOLDER [PATH...]
//
// Speaks to the test over standard input and output, in lines that begin with `peer: `. Screenshots go into FOLDER.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.env.NODE_PACKAGES + "/"));
const { chromium } = require("playwright-core");

const [scenario, url, folder, ...paths] = process.argv.slice(2);
const say = (line) => console.log(`peer: ${line}`);
const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const hear = async () => (await orders.next()).value;

// A container runs its tests as root, where the browser's own sandbox cannot be.
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: process.getuid() === 0 ? ["--no-sandbox"] : [] });

let last;

// A page in which nothing may go wrong, and nothing may be asked of anybody else.
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.wrong = [];
  last = page;
  page.on("console", (message) => { if (["error", "warning"].includes(message.type()) && !message.text().includes("status of 400")) page.wrong.push(message.text()); });
  page.on("pageerror", (error) => page.wrong.push(error.message));
  page.on("dialog", (dialog) => { page.wrong.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(url)) page.wrong.push(`asks ${request.url()}`); });
  return page;
}

async function shot(page, name, options = {}) {
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true, ...options });
  if (!name.startsWith("failed")) say(`STEP ${name}`);
}

function fine(page) {
  assert.deepEqual(page.wrong, []);
}

// Nothing may stand beside the screen.
async function fits(page) {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= screen, `${page.url()}: ${content} pixels on a screen of ${screen}`);
}

const scenarios = {
  // From an empty page to the slot that differs, and the page changes by itself.
  async live() {
    const page = await open();
    await page.goto(url);
    await page.getByText("No workflow yet").waitFor();
    await page.screenshot({ path: `${folder}/empty.png`, fullPage: true });
    say("EMPTY");
    await hear();
    // The first workflow makes another page of it, without a hand on the keyboard.
    await page.locator("tr", { hasText: "failure" }).first().waitFor();
    const count = () => page.locator("a.open").count();
    await page.waitForFunction(() => document.querySelectorAll("a.open").length >= 8);
    const before = await count();
    say(`ROWS ${before}`);
    await hear();
    await page.waitForFunction((before) => document.querySelectorAll("a.open").length > before, before);

    await shot(page, "list");

    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("?");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    assert.equal(await page.locator("tr[data-at]").count(), 1);

    await page.keyboard.press("/");
    await page.keyboard.type("mism");
    await page.getByRole("option", { name: "mismatch" }).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.type("= stal");
    await page.getByRole("option", { name: "stale_context" }).waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.locator("#q").inputValue(), 'mismatch = "stale_context" ');
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=/);
    await page.waitForFunction((before) => document.querySelectorAll("a.open").length < before, before);
    await shot(page, "filtered");

    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(/workflows\//);
    const cause = await page.locator("#cause .sentence").innerText();
    assert.match(cause, /^Stale context at boundary \w+<-\w+$/);
    assert.ok(!(await page.locator("#evidence ul").isVisible()), "evidence is one click away");
    await page.getByText("Evidence", { exact: true }).click();
    await page.locator("#evidence ul").waitFor();
    await page.getByText("What it explains").click();
    await page.getByText("root cause").first().waitFor();
    await shot(page, "explained");

    await page.locator("a.handoff.root .label").click();
    await page.waitForURL(/handoffs\//);
    assert.ok(await page.locator("svg.age .over").count() >= 1, "the age is over the limit");

    await page.goto(`${url}/?q=${encodeURIComponent("mismatch = misunderstood")}`);
    await page.locator("a.open").first().click();
    await page.locator("a.handoff .label", { hasText: "misunderstood" }).first().click();
    await page.waitForURL(/handoffs\//);
    assert.ok(await page.locator("tr.different").count() >= 1, "a slot differs");
    await page.getByText("Parent", { exact: true }).waitFor();

    // From the handoff to its edge in the graph, and what else went wrong there.
    const boundary = await page.locator("h1 .boundary").innerText();
    await page.locator("#boundary-link").click();
    await page.waitForURL(/agents\?/);
    assert.match(await page.locator("a.edge[aria-current]").getAttribute("aria-label"), new RegExp(`^${boundary}: `));
    await page.locator("#boundary").getByRole("link", { name: "misunderstood" }).first().waitFor();
    await shot(page, "followed");
    fine(page);
    say("DONE");
  },

  // The same by links and forms alone.
  async still() {
    const page = await open({ javaScriptEnabled: false });
    await page.goto(url);
    await page.locator("#q").fill("verdict = mismatched");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.locator("tr", { hasText: "failure" }).first().locator("a.open").click();
    await page.locator("#cause .sentence").waitFor();
    say("STEP workflow");
    await page.getByText("Evidence", { exact: true }).click();
    assert.ok(await page.locator("#evidence ul").isVisible());
    await page.locator("#cause").getByRole("link", { name: "Open this handoff" }).click();
    await page.getByText("Intent and readback").waitFor();
    say("STEP handoff");
    assert.equal(await page.locator("[data-copy]:visible").count(), 0, "what needs the script is not there");
    await page.getByRole("button", { name: "dark" }).click();
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    await page.getByText("Intent and readback").waitFor();
    fine(page);
    say("DONE");
  },

  // What strangers say runs nowhere.
  async hostile() {
    const page = await open();
    for (const path of paths) {
      await page.goto(url + path);
      await fits(page);
      say("STEP " + path.slice(0, 40));
    }
    await shot(page, "hostile");
    fine(page);
    say("DONE");
  },

  // How long a page takes until it is drawn, in milliseconds.
  async large() {
    const page = await open();
    await page.goto(url);
    const begun = Date.now();
    await page.goto(url + paths[0], { waitUntil: "load" });
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    say(`OPENED ${Date.now() - begun}`);
    await page.locator("#spans .fewer").first().click();
    await page.getByText("Attributes of").waitFor();
    await page.goto(url + paths[0]);
    await page.locator(".ticks a").nth(2).click();
    await page.waitForURL(/t=/);
    await shot(page, "large", { fullPage: false });
    fine(page);
    say("DONE");
  },

  // One hands over to a hundred: what broke is in sight, and no label of the graph is on another.
  async fan() {
    const [workflow, agents, broken] = paths;
    const page = await open();
    await page.goto(url + workflow);
    await page.getByText("root cause").first().waitFor();
    await page.locator("a.handoff.root").first().waitFor();
    await fits(page);
    await shot(page, "fan-workflow");
    await page.goto(url + agents);
    await fits(page);
    assert.equal(await page.locator("g.node").count(), 101);
    assert.equal(await page.locator("a.edge.much").getAttribute("aria-label"), `${broken}<-planner: 1 handoff, 100 % mismatched`);
    const labels = await page.locator("a.edge text").evaluateAll((all) => all.map((one) => { const { x, y, width, height } = one.getBBox(); return { x, y, width, height }; }));
    const touch = (one, other) => one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;
    for (const [at, one] of labels.entries()) assert.ok(!labels.slice(at + 1).some((other) => touch(one, other)), `label ${at} is on another`);
    await shot(page, "fan-agents");
    fine(page);
    say("DONE");
  },

  // Every page, on screens from a phone to a wall, light and dark.
  async sizes() {
    for (const [name, width, height] of [["phone", 400, 800], ["laptop", 1366, 800], ["wall", 3840, 2160]]) {
      for (const colorScheme of ["light", "dark"]) {
        const page = await open({ viewport: { width, height }, colorScheme });
        for (const path of paths) {
          const [called, address] = path.split("=");
          await page.goto(url + decodeURIComponent(address));
          await fits(page);
          await shot(page, `${called}-${name}-${colorScheme}`);
        }
        fine(page);
        await page.context().close();
      }
    }
    say("DONE");
  },

  // What the README shows.
  async pictures() {
    const page = await open({ viewport: { width: 1180, height: 1040 } });
    for (const path of paths) {
      const [called, address] = path.split("=");
      await page.goto(url + decodeURIComponent(address));
      await page.waitForFunction(() => !document.querySelector("[data-again]"));
      await shot(page, called, { fullPage: false });
    }
    fine(page);
    say("DONE");
  },
};

try {
  await scenarios[scenario]();
} catch (error) {
  await shot(last, `failed-${scenario}`).catch(() => {});
  say(`FAILED ${JSON.stringify(error.stack)}`);
} finally {
  await browser.close();
  process.exit();
}
