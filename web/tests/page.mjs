// What the browser tests share: a browser, a page, and the ways a person has.
import { mkdir } from "node:fs/promises";
import { createServer, get } from "node:http";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** Where the page is served. */
export const URL_OF_PAGE = process.env.NARU_URL ?? "http://127.0.0.1:8080/";
/** Where screenshots are left. */
const OUTPUT = fileURLToPath(new URL("output/", import.meta.url));

export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** Starts the browser. */
export async function openBrowser() {
  await mkdir(OUTPUT, { recursive: true });
  return chromium.launch({
    executablePath: process.env.NARU_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
      "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/**
 * Opens the page in a fresh profile and waits until its cluster runs. `complaints` fills with what
 * the page complains about: errors, and breaches of the Content-Security-Policy.
 */
export async function openPage(browser, { path = "", url = URL_OF_PAGE, viewport = DESKTOP, theme = "light", ...more } = {}) {
  const context = await browser.newContext({ viewport, colorScheme: theme, locale: "ko-KR", ...more });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  await page.goto(new URL(path, url).href);
  if (await page.evaluate(() => "naru" in window)) await page.evaluate(() => window.naru.ready);
  return { page, complaints, close: () => context.close() };
}

/** The page at another address, which can be closed: what a network is that goes away. */
export async function openGate() {
  const gate = createServer((request, answer) => {
    const { pathname, search } = new URL(request.url, URL_OF_PAGE);
    const onward = get(new URL(`.${pathname}${search}`, URL_OF_PAGE), { headers: request.headers }, (from) => {
      // What the browser itself keeps would hide that it is gone.
      answer.writeHead(from.statusCode, { ...from.headers, "cache-control": "no-store" });
      from.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
  });
  await new Promise((resolve) => gate.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => {
    gate.close(resolve);
    gate.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${gate.address().port}/`, close };
}

/** Runs a command by `window.naru.exec`. */
export const exec = (page, command) => page.evaluate((it) => window.naru.exec(it), command);

/** Types into the terminal, with Enter at the end of each line. */
export async function type(page, text) {
  await page.locator(".xterm-helper-textarea").focus();
  for (const line of text.split("\n")) {
    await page.keyboard.type(line);
    await page.keyboard.press("Enter");
  }
}

/** Waits until the terminal shows a text. */
export const sees = (page, text) =>
  page.waitForFunction((wanted) => {
    const rows = [...document.querySelectorAll(".xterm-rows > *")];
    return rows.map((row) => row.textContent.replaceAll("\u00a0", " ").trimEnd()).join("\n").includes(wanted);
  }, text);

/** The pod of a name in the picture. */
export const pod = (page, name) => page.locator(`[data-testid="topology"] [data-testid="pod"][data-name="${name}"]`);

/** Seconds on the cluster's clock. */
export const clock = async (page) => secondsOf(await page.getByTestId("clock").locator(".stopwatch").textContent());

const secondsOf = (stopwatch) => stopwatch.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);

/** Waits until the cluster's clock shows this second or a later one. */
export const clockReaches = (page, seconds) => page.waitForFunction((wanted) => {
  const text = document.querySelector('[data-testid="clock"] .stopwatch').textContent;
  return text.split(":").reduce((sum, part) => 60 * sum + Number(part), 0) >= wanted;
}, seconds);

/**
 * Waits until what is asked is answered with yes. For questions whose answers are promises: to
 * waitForFunction every promise is as good as true.
 */
export async function until(asked, what) {
  const begun = Date.now();
  while (!(await asked())) {
    if (Date.now() - begun > 30_000) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Waits until so many frames were drawn. */
export const frames = (page, count) => page.evaluate(async (left) => {
  for (let i = 0; i < left; i += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
}, count);

/** What the terminal in front shows. */
export const shownText = (page) => page.locator(".terminal-host:not(.put-away, .beside) .xterm-rows").textContent();

/** Waits until the terminal in front shows something else than this. */
export const showsOther = (page, than) => page.waitForFunction(
  (before) => document.querySelector(".terminal-host:not(.put-away, .beside) .xterm-rows").textContent !== before, than);

/** Leaves a screenshot for people. */
export const photograph = (page, name) => page.screenshot({ path: `${OUTPUT}${name}.png` });

/** Waits until the terminal shows a prompt and nothing after it. */
export function idle(page) {
  return page.waitForFunction(() => {
    const lines = [...document.querySelectorAll(".xterm-rows > *")]
      .map((row) => row.textContent.replace(/\u00a0/g, " ").trimEnd())
      .filter((line) => line !== "");
    return /[$#]$/.test(lines.at(-1) ?? "");
  }, undefined, { timeout: 60_000 });
}
