// Prints how long the page takes until its cluster answers, as JSON: the median of some loads, each
// with an empty cache, in milliseconds from the start of navigation.
import { openBrowser, openPage } from "./page.mjs";

const LOADS = 5;

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
await browser.close();

const median = (key) => Math.round(times.map((time) => time[key]).sort((a, b) => a - b)[Math.floor(LOADS / 2)]);
console.log(JSON.stringify({
  first_paint_ms: median("paint"),
  interactive_ms: median("ready"),
  first_answer_ms: median("answered"),
  loads: LOADS,
}));
