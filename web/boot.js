// Starts the page. A file, since the site's Content-Security-Policy has no inline scripts; Trunk
// writes the names of the page's module and wasm into this script's element (see Trunk.toml).
// `window.naru` is there from the first line on, so that others can wait for `naru.ready`.

import { startHalves } from "./halves.js";

/** How long after the cluster is there the rest of the page's wasm is loaded, in milliseconds. */
const REST_AFTER = 300;

let arrive;
let fail;
const page = new Promise((resolve, reject) => { arrive = resolve; fail = reject; });
// Who waits for `naru.ready` is told; who does not is not bothered twice.
page.catch(() => {});
let keep;
const kept = new Promise((resolve) => { keep = resolve; });
const call = (method) => async (...values) => (await page)[method](...values);

window.naru = Object.freeze({
  /** Resolves when the cluster runs. */
  ready: page.then((it) => it.ready()),
  /** Resolves when all is kept that the page needs to open without a network, if it is kept. */
  kept,
  /** Runs a command as fast as possible: `{ stdout, stderr, code }`. */
  exec: call("exec"),
  /** Lets seconds of the cluster's time pass, as fast as possible. */
  advance: call("advance"),
  /** How fast time goes by itself: times as fast as real time; 0 stands still. */
  speed: call("speed"),
  /** Types a line into the terminal that is in front, where it is seen. */
  type: call("type"),
  /** Writes a file of the learner's home directory: its path, and bytes. */
  write: call("write"),
  /** A file of the learner's home directory: bytes. */
  read: call("read"),
  /** Breaks something, or mends it, in the words of `naru fault`. */
  fault: call("fault"),
  /** Opens a step of the lesson, counted from 0. */
  step: call("step"),
  /** The session, to be kept: bytes. */
  snapshot: call("snapshot"),
  /** Takes up a session that was kept: its bytes. */
  restore: call("restore"),
  /** Sets `lang` or `theme`. */
  set: call("set"),
  /** The digest of the whole history of the cluster's store. */
  digest: call("digest"),
});

const asked = new URLSearchParams(location.search);
/** Inside another page, as a widget. */
const embed = asked.get("embed") === "1" && parent !== window;

/** The way to the page outside, and what was to be told before it was there. */
let outside;
const untold = [];
const UNTOLD_MAX = 100;
// What happens in the page is told to scripts of the page, as an event of the window, and to the page
// outside.
window.naruTell = (event, detail) => {
  dispatchEvent(new CustomEvent(event, { detail }));
  if (outside) outside.postMessage({ event, detail });
  else if (embed && untold.length < UNTOLD_MAX) untold.push({ event, detail });
};

// As a widget inside another page: that page, and no other, may hand in a port to call these by.
if (embed) {
  addEventListener("message", (event) => {
    const [port] = event.ports;
    if (event.source !== parent || event.data !== "naru-connect" || !port) return;
    outside = port;
    for (const it of untold.splice(0)) port.postMessage(it);
    port.onmessage = async ({ data: { id, method, values } }) => {
      try {
        if (!Object.hasOwn(window.naru, method)) throw new Error(`no such method: ${method}`);
        const it = window.naru[method];
        port.postMessage({ id, value: await (typeof it === "function" ? it(...values) : it) });
      } catch (error) {
        port.postMessage({ id, error: String(error?.message ?? error) });
      }
    };
  });
}

const { module, wasm } = document.querySelector("script[data-wasm]").dataset;
/** A mark of the page's version. */
const version = [...wasm].filter((letter) => /[a-z0-9]/i.test(letter)).join("");
const versioned = (name) => new URL(`${name}?v=${version}`, document.baseURI);

// Where the site's policy asks for trusted types: these two files of ours may be run, and no others.
const TRUSTED = ["worker-start.js", "sw.js"];
const policy = globalThis.trustedTypes?.createPolicy("naru", {
  createScriptURL: (url) => {
    if (!TRUSTED.some((name) => new URL(url).pathname === new URL(name, document.baseURI).pathname)) {
      throw new TypeError(`not a script of Naru: ${url}`);
    }
    return url;
  },
});
const trusted = (url) => policy?.createScriptURL(url.href) ?? url;

// Widgets on one page share what was compiled: each hands it to its own worker too.
const compiled = embed ? (await import("./beside.js")).compiled : undefined;

function workerStart() {
  const url = versioned("worker-start.js");
  if (compiled) url.searchParams.set("given", "1");
  return url;
}

// The worker is started before the page's own wasm is here, which takes it over by `naruWorker`: so
// the two are loaded at the same time. A later call, when a worker has failed, starts another.
function startWorker() {
  const worker = new Worker(trusted(workerStart()), { type: "module" });
  if (compiled) worker.addEventListener("message", (event) => {
    const of = event.data?.naruWants;
    if (!of) return;
    event.stopImmediatePropagation();
    // Where it cannot be had here the worker tries itself, and says why it fails.
    compiled(new URL(of)).catch(() => null).then((module) => worker.postMessage({ naruModule: module, of }));
  });
  return worker;
}
let early = startWorker();
window.naruWorker = () => {
  const worker = early ?? startWorker();
  early = null;
  return worker;
};
const glue = import(new URL(module, document.baseURI));
const [first, rest] = [new URL(wasm, document.baseURI), versioned("page_rest.wasm")];
/** Whether the network is gone: the browser knows, or the service worker has met it (see sw.js). */
const offline = !navigator.onLine || "kept" in document.documentElement.dataset;
// A widget begins with what the trials of the split do not know. And a document that waits for a file does
// not get it from the service worker, without which there is none when the network is gone.
const ahead = embed || offline;
const { loadRest } = await startHalves(glue, first, rest, compiled, ahead).catch((error) => {
  fail(error);
  // Nothing else is there to say it.
  document.getElementById("broken")?.removeAttribute("hidden");
  throw error;
});
const it = await glue;
arrive(it);
// What the first picture does not need, once that is there: before somebody can ask for it.
it.ready().then(() => setTimeout(loadRest, REST_AFTER), () => loadRest());

// Kept for a visit without a network, once all is loaded. Inside another page that page decides.
if (navigator.serviceWorker && (parent === window || asked.get("offline") === "1")) {
  it.ready().then(async () => {
    await navigator.serviceWorker.register(trusted(new URL("sw.js", document.baseURI)));
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data: missing }) => {
      if (missing.length === 0) keep();
      else console.info("naru: not kept for offline use", missing);
    };
    const page = embed ? "embed.html" : "./";
    const own = [page, module, wasm].map((name) => new URL(name, document.baseURI).href);
    active.postMessage([...own, ...loaded, ...workerFiles()], [port2]);
  }).catch((error) => console.info("naru: not kept for offline use", error));
}

/** What the worker has loaded, or will, which this page does not see. */
function workerFiles() {
  const files = ["worker.js", "worker_bg.wasm", "worker_rest.wasm", "halves.js"].map(versioned);
  return [workerStart(), ...files].map((url) => url.href);
}
