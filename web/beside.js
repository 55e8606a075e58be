// Sandboxes that stand on one page share what is compiled: each file of wasm is loaded and compiled by the
// first that needs it, and handed on to the others. <naru-sandbox> stands between them, for their frames
// are in shadow trees, where they cannot find one another: it gives each two of them a channel
// (`introduce` in widget/naru-sandbox.js). Who came later asks who was there before, never the other way
// round, so that no two wait for each other.

/** How long the page around is waited for, in milliseconds: it may know nothing of this. */
const PATIENCE = 1_000;
/** How frames, and the page around them, begin what they say of this. */
const HELLO = "naru-beside";
const SITE = new URL("./", document.baseURI).href;

/** What this frame compiles or has got, by address: promises of modules. */
const modules = new Map();
/** Who was there before, by number: how to ask them, and a promise that they are gone. */
let elders = new Map();

const introduced = new Promise((resolve) => {
  if (!trusting()) {
    resolve();
    return;
  }
  addEventListener("message", ({ source, data, ports }) => {
    const said = source === parent && data?.[HELLO];
    if (!said) return;
    if (said.before) elders = new Map([...ports].map((port, at) => [said.before[at], elder(port)]));
    else if (said.gone !== undefined) elders.get(said.gone)?.leave();
    else ports.forEach(answer);
    resolve();
  });
  setTimeout(resolve, PATIENCE);
  // Nothing of this is a secret; the page around may be of any origin.
  parent.postMessage(HELLO, "*");
});

/**
 * Whether a module that arrives was compiled by this origin: browsers hand none from one agent cluster to
 * another, and this one is no other origin's.
 */
function trusting() {
  try {
    return globalThis.originAgentCluster || parent.location.origin === location.origin;
  } catch {
    return false;
  }
}

/** One that was there before. */
function elder(port) {
  const asked = new Map();
  let leave;
  const gone = new Promise((resolve) => { leave = resolve; });
  port.onmessage = ({ data: { of, module } }) => {
    asked.get(of)?.(module);
    asked.delete(of);
  };
  // From a browser that hands no modules on.
  port.onmessageerror = () => leave();
  const ask = (of) => new Promise((resolve) => {
    asked.set(of, resolve);
    port.postMessage(of);
  });
  return { ask: (of) => Promise.race([ask(of), gone]), leave };
}

/** Answers one that came later. What it wants is wanted here too, sooner or later. */
function answer(port) {
  port.onmessage = async ({ data: of }) => {
    const ours = String(of).startsWith(SITE);
    const module = ours ? await compiled(new URL(of)).catch(() => null) : null;
    port.postMessage({ of, module });
  };
}

/** A file of wasm, compiled here or by another frame. */
export function compiled(url, options) {
  const known = modules.get(url.href);
  if (known) return known;
  const found = find(url, options);
  modules.set(url.href, found);
  found.catch(() => modules.delete(url.href));
  return found;
}

async function find(url, options) {
  await introduced;
  for (const { ask } of elders.values()) {
    const module = await ask(url.href);
    if (module) return module;
  }
  return WebAssembly.compileStreaming(fetch(url, options));
}
