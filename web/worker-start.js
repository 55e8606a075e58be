// Starts the worker's wasm. Its address carries a mark of the page's version, and passes it on, so
// that a browser's cache never pairs an old worker with a new page.
const early = [];
/** Whether the page hands on what it has compiled. */
const handsOn = new URL(import.meta.url).searchParams.get("given") === "1";
/** Who waits for what it has compiled, by address. */
const waiting = new Map();
// Before all others that hear what the page says: it is for nobody else.
addEventListener("message", (event) => {
  const take = waiting.get(event.data?.of);
  if (!take) return;
  event.stopImmediatePropagation();
  waiting.delete(event.data.of);
  take(event.data.naruModule);
});
// The page speaks at once; what it says while the wasm is on its way would be lost.
self.onmessage = (event) => early.push(event);

const version = new URL(import.meta.url).searchParams.get("v");
const beside = (name) => {
  const url = new URL(`./${name}`, import.meta.url);
  if (version !== null) url.searchParams.set("v", version);
  return url;
};

/** How long after the cluster is there the rest of the wasm is loaded, in milliseconds. */
const REST_AFTER = 200;
let loadRest = async () => {};

// The first thing that the worker says is that there is a cluster.
const { postMessage } = self;
self.postMessage = (...message) => {
  self.postMessage = postMessage;
  setTimeout(() => loadRest(), REST_AFTER);
  postMessage.apply(self, message);
};

const { startHalves } = await import(beside("halves.js"));
const glue = import(beside("worker.js"));
const [first, rest] = [beside("worker_bg.wasm"), beside("worker_rest.wasm")];
// A widget has both from the start: what it begins with (a lesson, a manifest) needs the rest, and to wait
// for that in the middle of a call would be to load it apart from the other widgets.
const wasm = await startHalves(glue, first, rest, handsOn ? compile : undefined, handsOn);
({ loadRest } = wasm);
/** For who measures: bytes of the wasm's memory. */
self.naruMemory = () => wasm.first.memory.buffer.byteLength;

// The wasm has its own listener now.
for (const event of early) self.onmessage(event);

/** In a widget the page compiles for all that stand beside one another: see boot.js. */
async function compile(url, options) {
  return (await fromPage(url.href)) ?? WebAssembly.compileStreaming(fetch(url, options));
}

function fromPage(of) {
  return new Promise((resolve) => {
    waiting.set(of, resolve);
    postMessage.call(self, { naruWants: of });
  });
}
