// Prints how long the page takes until its cluster answers, and how long an earlier moment takes to
// be brought back and shown, as JSON: the median of some loads, each with an empty cache, in
// milliseconds.
import { exec, openBrowser, openPage } from "./page.mjs";

const LOADS = 5;
/** Seconds of the cluster's time that are gone back, one after the other. */
const MOMENTS = [500, 60, 333, 200, 599];

const browser = await openBrowser();
const times = [];
for (let i = 0; i < LOADS; i += 1) {
  const { page, close } = await openPage(browser);
  times.push(
    await page.evaluate(async () => {
      await window.naru.ready;
      const ready = performance.now();
      await window.naru.exec("kubectl get nodes");
      const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null;
      return { paint, ready, answered: performance.now() };
    }),
  );
  await close();
}
const travels = await travel();
await browser.close();

/** Ten minutes of a cluster with ten pods, and back. */
async function travel() {
  const { page, close } = await openPage(browser, { path: "?profile=kind&speed=0" });
  await exec(page, "kubectl create deployment web --image=nginx --replicas=10");
  await page.evaluate(() => naru.advance(600));
  const took = await page.evaluate(async (moments) => {
    const slider = document.querySelector('[data-testid="time-line"]');
    const start = Number(slider.min);
    const times = [];
    for (const seconds of moments) {
      const shown = document.querySelector('[data-testid="clock"] .stopwatch');
      const changed = new Promise((resolve) => {
        new MutationObserver((_, observer) => { observer.disconnect(); resolve(); })
          .observe(shown, { childList: true, characterData: true, subtree: true });
      });
      const begun = performance.now();
      slider.value = start + seconds * 1000;
      if (Number(slider.value) !== start + seconds * 1000) throw new Error("the page's clock lags");
      slider.dispatchEvent(new InputEvent("input", { bubbles: true }));
      await changed;
      times.push(performance.now() - begun);
    }
    return times;
  }, MOMENTS);
  await close();
  return took;
}

const middle = (all) => Math.round([...all].sort((a, b) => a - b)[Math.floor(all.length / 2)]);
const median = (key) => middle(times.map((time) => time[key]));
console.log(JSON.stringify({
  first_paint_ms: median("paint"),
  interactive_ms: median("ready"),
  first_answer_ms: median("answered"),
  travel_ms: middle(travels),
  travel_worst_ms: Math.round(Math.max(...travels)),
  loads: LOADS,
}));
