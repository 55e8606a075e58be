// Runs the worker without a browser, as a page's first moments do, and writes down what of its wasm
// was run: `node trial-worker.mjs DIST MARKED MARKS TOLD LANGUAGE`, where MARKED is what `naru-split
// mark` made of the worker's wasm. What MARKS says already stays. To TOLD is written what the worker
// tells the page, and when.
//
// Time is not the machine's, so that the same wasm is called the same way each time.
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [dist, marked, marks, told] = process.argv.slice(2, 6).map((path) => resolve(path));
const language = process.argv[6];
/** How long the cluster goes on after it is there, in milliseconds of its time. */
const GOES_ON = 500;
/** What a frame takes, and what looking at the clock does, in milliseconds. */
const FRAME = 16;
const LOOK = 0.05;
/** Turns of this program's loop at most. */
const TURNS_MAX = 200_000;

let now = 0;
let failure = null;
const heard = new Set();
const tells = [];
const timers = new Map();
let lastTimer = 0;

class Scope {
  static [Symbol.hasInstance](it) { return it === globalThis; }
}
const browser = {
  DedicatedWorkerGlobalScope: Scope,
  self: globalThis,
  performance: { now: () => (now += LOOK) },
  postMessage: (message) => hear(message),
  setTimeout: (call, ms) => { timers.set(++lastTimer, { call, due: now + ms }); return lastTimer; },
  clearTimeout: (timer) => timers.delete(timer),
  fetch: async (file) => new Response(await readFile(new URL(file, pathToFileURL(`${dist}/`)))),
};
const later = globalThis.setImmediate;
for (const [name, value] of Object.entries(browser)) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}

const { default: start } = await import(pathToFileURL(`${dist}/worker.js`));
const wasm = await start({ module_or_path: await WebAssembly.compile(await readFile(marked)) });

// What a page says that is opened for the first time.
say(resize());
say(boot(lesson(null)));
await goOn(() => heard.has(0));
say(lessonStep());
say(tableOfNone());
say(studyOfNone());
say(resize());
const ready = now;
await goOn(() => now > ready + GOES_ON);

const { naru_marks, naru_marks_count, memory } = wasm;
const known = await readFile(marks).catch(() => []);
const run = new Uint8Array(memory.buffer, naru_marks.value, naru_marks_count.value);
if (failure) throw new Error(failure);
if (!heard.has(0)) throw new Error("the worker has started no cluster");
const called = run.map((mark, at) => mark | (known[at] ?? 0));
const count = called.reduce((sum, mark) => sum + mark, 0);
console.log(`${count} of ${called.length} stretches are run at first`);
await writeFile(marks, called);
await writeFile(told, JSON.stringify(tells));
process.exit(0);

/** Lets the worker work until something is so. */
async function goOn(isSo) {
  for (let turn = 0; turn < TURNS_MAX && !isSo(); turn += 1) {
    await new Promise((resolve) => later(resolve));
    const [next] = [...timers].sort(([, a], [, b]) => a.due - b.due);
    if (!next) continue;
    const [timer, { call, due }] = next;
    timers.delete(timer);
    now = Math.max(now, due);
    call();
  }
}

/** Reports of the worker: how many, and then of which kind the first is (src/protocol.rs). */
function hear(message) {
  heard.add(message[1]);
  tells.push([now, Buffer.from(message).toString("base64")]);
  // The page says when it has drawn what there is.
  timers.set(++lastTimer, { call: () => say(drawn()), due: now + FRAME });
}

function say(bytes) {
  globalThis.onmessage({ data: Uint8Array.from(bytes) });
}

// Requests of src/protocol.rs in postcard's form.

function boot(start) {
  return [0, ...start, ...text(language === "ko" ? "ko_KR.UTF-8" : "en_US.UTF-8"), ...number(1000)];
}

function resize() {
  return [3, 0, 109, 12];
}

function tableOfNone() {
  return [11, 0];
}

function drawn() {
  return [16];
}

function studyOfNone() {
  return [12, 0];
}

function lessonStep() {
  return [14, 0];
}

function lesson(name) {
  return [0, ...(name === null ? [0] : [1, ...text(name)])];
}

function text(it) {
  const bytes = new TextEncoder().encode(it);
  return [...number(bytes.length), ...bytes];
}

function number(it) {
  const bytes = [];
  for (let left = it; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left];
    bytes.push((left % 128) | 128);
  }
}
