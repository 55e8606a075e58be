// Runs a cluster in a worker, of a browser or of Node, and speaks with index.js. The cluster's own
// calls never wait: what takes long is done in slices, so that other requests are heard between them.
import init, { Headless } from "./site/worker.js";
import { Documents } from "./documents.js";

/** How long a slice takes, in milliseconds. */
const SLICE_MS = 12;
/** Pieces of work between two looks at the clock. */
const TURNS = 64;
/** How often time that goes by itself is brought up to date, in milliseconds. */
const TICK_MS = 40;
/** Seconds of the cluster's time that a command may take, if nobody says otherwise. */
const COMMAND_SECONDS = 3600;
/** The API server's own events, as they come. */
const EVENTS = "kubectl get events --all-namespaces --watch-only --output-watch-events -o json";

const LINK = "naru:split";
const LOADED = "naru:loaded";

const port = await findPort();
let machine;
let openapi;
let openapiAsked = false;
/** Requests are worked on one after the other: time is one. */
let queue = Promise.resolve();
/** Scripts that go on beside all else: what they print, and who hears it. */
const watches = new Map();
let hears = { change: false, time: false };
let eventsJob = null;
let lastChange = 0;
let pace = null;

const decoder = new TextDecoder();
const methods = {
  start, exec, advance, speed, write, read, fault, snapshot, digest, watch, unwatch, listen, now,
};

port.listen(({ id, method, args }) => {
  const work = queue.then(() => methods[method](...args));
  queue = work.catch(() => {});
  work.then(
    (value) => port.post({ id, value }),
    (error) => port.post({ id, error: String(error?.message ?? error) }),
  );
});

/** The way to who has started this worker. */
async function findPort() {
  if (typeof self !== "undefined" && typeof self.postMessage === "function") {
    const early = [];
    let hear = (data) => early.push(data);
    // Before the cluster's own code, which hears what a page says: nothing of this is for it.
    self.addEventListener("message", (event) => {
      event.stopImmediatePropagation();
      hear(event.data);
    });
    return {
      post: (data) => self.postMessage(data),
      listen: (listener) => { hear = listener; early.splice(0).forEach(listener); },
    };
  }
  const { parentPort } = await import(/* webpackIgnore: true */ /* @vite-ignore */ "node:worker_threads");
  return {
    post: (data) => parentPort.postMessage(data),
    listen: (listener) => parentPort.on("message", listener),
  };
}

/** Starts a cluster, or brings back one that was kept. */
async function start({ first, rest, openapiUrl, profile, seed, locale, kept }) {
  await load(first, rest);
  openapi = openapiUrl;
  if (!kept) {
    machine = new Headless(profile, seed, locale);
  } else {
    machine = Headless.resume(kept);
    const end = machine.end();
    await inSlices(() => machine.advance(end, TURNS));
  }
  lastChange = machine.lastChange();
  return machine.now();
}

/** The wasm comes in two files (see xtask/split); here both are wanted from the start. */
async function load(first, rest) {
  const { instantiate } = WebAssembly;
  let exports;
  const join = () => {
    if (!rest || !(LOADED in exports) || exports[LOADED].value) return;
    new WebAssembly.Instance(rest, { [LINK]: exports });
    exports[LOADED].value = 1;
  };
  WebAssembly.instantiate = async (module, imports) => {
    const instance = await instantiate(module, { ...imports, [LINK]: { load: join } });
    exports = instance.exports;
    return instance;
  };
  try {
    await init({ module_or_path: first });
  } finally {
    WebAssembly.instantiate = instantiate;
  }
  join();
}

/** Does pieces of work until one says that it was the last, and lets others speak in between. */
async function inSlices(work) {
  for (;;) {
    const end = performance.now() + SLICE_MS;
    do {
      if (work()) {
        tell();
        return;
      }
    } while (performance.now() < end);
    tell();
    await bringSchemas();
    await new Promise((resolve) => setTimeout(resolve));
  }
}

/** `kubectl explain` waits for the schemas, which are a file of their own. */
async function bringSchemas() {
  if (openapiAsked || !machine.wantsOpenapi()) return;
  openapiAsked = true;
  machine.setOpenapi(await textOf(openapi).catch(() => undefined));
}

async function textOf(url) {
  if (!url.startsWith("file:")) return (await fetch(url)).text();
  const { readFile } = await import(/* webpackIgnore: true */ /* @vite-ignore */ "node:fs/promises");
  return readFile(new URL(url), "utf8");
}

async function exec(command, seconds = COMMAND_SECONDS) {
  const job = machine.begin(command, seconds);
  let result;
  await inSlices(() => {
    result = machine.run(job, TURNS);
    return result !== undefined;
  });
  return result;
}

async function advance(seconds) {
  const to = machine.now() + Math.max(0, seconds) * 1e6;
  await inSlices(() => machine.advance(to, TURNS));
  return machine.now() / 1e6;
}

/** Lets time go by itself, so many times as fast as the wall's. */
function speed(factor) {
  clearInterval(pace);
  pace = null;
  if (!(factor > 0)) return;
  let before = performance.now();
  let behind = false;
  pace = setInterval(() => {
    if (behind) return;
    behind = true;
    queue = queue.then(async () => {
      const now = performance.now();
      const passed = Math.min(now - before, 1000) / 1000;
      before = now;
      await advance(passed * factor);
      behind = false;
    });
  }, TICK_MS);
}

function write(path, bytes) {
  machine.write(path, bytes);
}

function read(path) {
  const bytes = machine.read(path);
  if (bytes === undefined) throw new Error(`${path}: no such file`);
  return bytes;
}

function fault(words) {
  machine.fault(words);
  tell();
}

function snapshot() {
  return machine.keep();
}
function digest() {
  return machine.digest();
}
function now() {
  return machine.now() / 1e6;
}

/** Tells of objects as they change: in the words of kubectl, `{ type, object }`. */
function watch(what, number) {
  const job = machine.start(`kubectl get ${what} --watch --output-watch-events -o json`);
  watches.set(job, { documents: new Documents(), event: "watch", number });
  tell();
  return job;
}

function unwatch(job) {
  if (watches.delete(job)) machine.abandon(job);
}

/** What is to be told by itself: `change`, `time`, `event`. */
function listen(event, wanted) {
  if (event !== "event") {
    hears = { ...hears, [event]: wanted };
    if (event === "change") lastChange = machine.lastChange();
    return;
  }
  if (wanted && eventsJob === null) {
    eventsJob = machine.start(EVENTS);
    watches.set(eventsJob, { documents: new Documents(), event: "event" });
  } else if (!wanted && eventsJob !== null) {
    unwatch(eventsJob);
    eventsJob = null;
  }
}

/** Tells what is new since it was told last. */
function tell() {
  for (const [job, { documents, event, number }] of watches) {
    const { stdout, stderr, code } = machine.poll(job);
    const found = stdout.length === 0 ? [] : documents.take(decoder.decode(stdout, { stream: true }));
    for (const detail of found) port.post({ event, number, detail });
    if (code === undefined) continue;
    watches.delete(job);
    port.post({ event: "ended", number, detail: { code, stderr: decoder.decode(stderr) } });
  }
  if (hears.change) {
    for (const change of machine.changes(lastChange)) {
      lastChange = change.id;
      port.post({ event: "change", detail: change });
    }
  }
  if (hears.time) port.post({ event: "time", detail: { seconds: machine.now() / 1e6 } });
}
