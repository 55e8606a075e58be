// One lesson of each part, played through the page by its buttons, as somebody who reads would. It takes
// minutes, so it is not part of `cargo xtask test`: with the page served at NARU_URL,
// `node web/tests/lessons.mjs`. What lessons say is checked headless by `naru lesson check`.
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { idle, openBrowser, openPage, photograph, showsOther, shownText } from "./page.mjs";
import { test } from "./patient.mjs";

const LESSONS = [
  "0102-containers-and-images", "0201-pod-yaml", "0301-liveness-http", "0401-service", "0501-empty-dir",
  "0602-config-map", "0701-downward-api", "0803-rolling-update", "0901-stateful-set", "1001-etcd-keys",
  "1101-who-are-you", "1203-qos", "1301-hpa", "1401-taints", "1501-life-cycle", "1601-kubeadm-init",
  "1701-nobody-behind-the-service",
];

/** Seconds of the cluster in one of the wall's: faster, and what a lesson shows would be over before it is looked at. */
const SPEED = 10;

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

describe("a lesson of each part", { concurrency: 1 }, () => {
  for (const slug of LESSONS) {
    test(slug, async () => {
      const { page, complaints, close } = await openPage(browser, { path: `?lesson=${slug}` });
      await page.evaluate((speed) => naru.speed(speed), SPEED);
      const lesson = page.getByTestId("lesson");
      const steps = await lesson.locator(".step").count();
      assert.ok(steps > 0);
      for (let step = 0; step < steps; step += 1) await play(page, lesson, step, steps);
      await lesson.locator(".lesson-done").waitFor();
      await photograph(page, `lesson-${slug}`);
      assert.deepEqual(complaints, []);
      await close();
    });
  }
});

/** Runs a step's commands, and its solution where there is something to find out. */
async function play(page, lesson, step, steps) {
  const open = lesson.locator(`.step.open[data-step="${step}"]`);
  await open.waitFor();
  await run(page, open, 0);
  const commands = await open.locator(".run").count();
  const more = open.locator(".hints > button");
  while (!(await isDone(lesson, step)) && (await more.count()) > 0) await more.click();
  await run(page, open, commands);
  await lesson.locator(`.step.done[data-step="${step}"]`).waitFor({ timeout: 90_000 });
  if (step + 1 < steps) await open.locator(".next").click();
}

/** Presses the buttons that run commands, from one on, and waits for the prompt after each. */
async function run(page, open, from) {
  for (let at = from; at < (await open.locator(".run").count()); at += 1) {
    const before = await shownText(page);
    await open.locator(".run").nth(at).click();
    // The prompt is still there until the terminal has taken the line.
    await showsOther(page, before);
    await idle(page);
  }
}

/** Whether the checks hold: they are looked at when the cluster has moved on a little. */
async function isDone(lesson, step) {
  const done = lesson.locator(`.step.done[data-step="${step}"]`);
  return done.waitFor({ timeout: 4_000 }).then(() => true, () => false);
}
