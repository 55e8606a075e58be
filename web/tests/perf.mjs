// Prints how the page fares while a thousand pods start and packets move: `cargo xtask perf`. Frames:
// the time between two of them, and how long the page's own thread worked for one, in milliseconds.
// Memory: that of the worker's wasm, and what the process of the page, in which the worker is too,
// holds for itself, the browser's own code and caches included.
import { readFile } from "node:fs/promises";
import { exec, openBrowser, openPage } from "./page.mjs";

const NODES = 12;
const PODS = 1_000;
/** How long frames are counted, in milliseconds. */
const COUNTED = 20_000;

const browser = await openBrowser();
const session = await browser.newBrowserCDPSession();
const { page, close } = await openPage(browser, { path: "?profile=gke&speed=1" });
const memoryIdle = await memory();
await succeed(`gcloud container clusters resize lines-cluster --num-nodes=${NODES} --zone=us-central1-c --quiet`);
await succeed("kubectl wait --for=condition=Ready nodes --all --timeout=10m");
await succeed("kubectl create deployment web --image=nginx --replicas=2");
await succeed("kubectl expose deployment web --port=80");
await succeed("kubectl create deployment caller --image=busybox --replicas=5 -- "
  + "sh -c 'while true; do wget -q -O /dev/null http://web; sleep 0.2; done'");
await succeed("kubectl rollout status deployment/caller --timeout=5m");
await succeed(`kubectl create deployment many --image=nginx --replicas=${PODS}`);
const frames = await page.evaluate(count, COUNTED);
const memoryBusy = await memory();
const running = await exec(page, "kubectl get deployment many -o jsonpath='{.status.readyReplicas}'");
await close();
await browser.close();

const pick = (all, share) => [...all].sort((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))];
const figures = (all) => ({
  p50: tenths(pick(all, 0.5)), p95: tenths(pick(all, 0.95)), p99: tenths(pick(all, 0.99)), worst: tenths(Math.max(...all)),
});
console.log(JSON.stringify({
  frames: frames.between.length,
  between_frames_ms: figures(frames.between),
  work_per_frame_ms: figures(frames.work),
  pods_ready: Number(running.stdout),
  memory_idle_mb: memoryIdle,
  memory_busy_mb: memoryBusy,
}, null, process.argv.includes("--json") ? 0 : 2));

async function succeed(command) {
  const { code, stdout, stderr } = await exec(page, command);
  if (code !== 0) throw new Error(`${command}: exit code ${code}\n${stdout}${stderr}`);
}

function tenths(number) {
  return Math.round(number * 10) / 10;
}

/** In the page: counts frames for a while. */
function count(duration) {
  return new Promise((resolve) => {
    const between = [];
    const work = [];
    const channel = new MessageChannel();
    let begun = 0;
    // After the frame was laid out and painted, and before anything that came later.
    channel.port1.onmessage = () => work.push(performance.now() - begun);
    const start = performance.now();
    let last = null;
    const frame = (time) => {
      if (last !== null) between.push(time - last);
      last = time;
      begun = performance.now();
      channel.port2.postMessage(null);
      if (begun - start < duration) requestAnimationFrame(frame);
      else resolve({ between, work });
    };
    requestAnimationFrame(frame);
  });
}

/** Megabytes: of the worker's wasm, and of the page's process. */
async function memory() {
  const wasm = await page.workers()[0].evaluate(() => self.naruMemory());
  return { worker_wasm: Math.round(wasm / 1e6), process: await processMemory() };
}

/** What the largest process of a page holds for itself; `null` where the system does not tell. */
async function processMemory() {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const sizes = processInfo.filter(({ type }) => type === "renderer").map(async ({ id }) => {
    const text = await readFile(`/proc/${id}/smaps_rollup`, "utf8").catch(() => "");
    const parts = [...text.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].map(([, kilobytes]) => Number(kilobytes));
    return parts.reduce((sum, part) => sum + part, 0);
  });
  const largest = Math.max(0, ...await Promise.all(sizes));
  return largest === 0 ? null : Math.round(largest / 1000);
}
