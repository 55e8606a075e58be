// Starts the page. A file, since the site's Content-Security-Policy has no inline scripts; Trunk
// writes the names of the page's module and wasm into this script's element (see Trunk.toml).
// `window.naru` is there from the first line on, so that others can wait for `naru.ready`.

let arrive;
const page = new Promise((resolve) => { arrive = resolve; });
const call = (method) => async (...values) => (await page)[method](...values);

window.naru = Object.freeze({
  /** Resolves when the cluster runs. */
  ready: page.then((it) => it.ready()),
  /** Runs a command as fast as possible: `{ stdout, stderr, code }`. */
  exec: call("exec"),
  /** Lets seconds of the cluster's time pass, as fast as possible. */
  advance: call("advance"),
  /** How fast time goes by itself: times as fast as real time; 0 stands still. */
  speed: call("speed"),
  /** The digest of the whole history of the cluster's store. */
  digest: call("digest"),
});

// As a widget inside another page: that page, and no other, may hand in a port to call these by.
if (new URLSearchParams(location.search).get("embed") === "1" && parent !== window) {
  addEventListener("message", (event) => {
    const [port] = event.ports;
    if (event.source !== parent || event.data !== "naru-connect" || !port) return;
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
const it = await import(new URL(module, document.baseURI));
await it.default({ module_or_path: new URL(wasm, document.baseURI) });
arrive(it);

// Kept for a visit without a network, once all is loaded. Inside another page that page decides.
if (navigator.serviceWorker && parent === window) {
  it.ready().then(async () => {
    await navigator.serviceWorker.register(new URL("sw.js", document.baseURI));
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    active.postMessage([new URL("./", document.baseURI).href, ...loaded, ...workerFiles()]);
  }).catch((error) => console.info("naru: not kept for offline use", error));
}

/** What the worker has loaded, which this page does not see. */
function workerFiles() {
  const version = [...wasm].filter((letter) => /[a-z0-9]/i.test(letter)).join("");
  return ["worker-start.js", "worker.js", "worker_bg.wasm"].map(
    (name) => new URL(`${name}?v=${version}`, document.baseURI).href,
  );
}
