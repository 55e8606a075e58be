// Lets the page open without a network after the first visit. The network is asked first, so that
// nobody meets an old page while a new one is to be had; what it said last is kept for when it is
// silent.

const CACHE = "naru-1";
/** Lists what is loaded late or never, but wanted when the network is gone. */
const LATE = "offline.json";
/** What a page that was kept is marked with: see boot.js. */
const MARK = "data-kept";
/** May not be there. */
const MAY_LACK = "_rest.wasm";

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  const old = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
  };
  event.waitUntil(old());
});

// The page tells what it was made of: its first visit was over before this began to listen. It is
// told what could not be kept once all else is.
self.addEventListener("message", (event) => {
  if (!Array.isArray(event.data)) return;
  const here = (name) => new URL(name, self.registration.scope).href;
  const keep = async () => {
    const cache = await caches.open(CACHE);
    const late = await fetch(here(LATE)).then((answer) => answer.json()).catch(() => []);
    const wanted = [...event.data, ...late.map(here)];
    const missing = [];
    await Promise.all([...new Set(wanted)].filter(isOurs).map(async (url) => {
      try {
        const answer = await fetch(url);
        if (answer.ok) await cache.put(url, answer);
        // Of a page that was built in a hurry there is no rest to keep.
        else if (!url.includes(MAY_LACK)) missing.push(url);
      } catch {
        // Without a network, what was kept before is good enough.
        if (!(await cache.match(url))) missing.push(url);
      }
    }));
    event.ports[0]?.postMessage(missing);
  };
  event.waitUntil(keep());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !isOurs(request.url)) return;
  event.respondWith(answer(request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await cache.put(request, fresh.clone());
    return fresh;
  } catch (error) {
    // An address with other words (`?lesson=…`) is still the same page.
    const ignoreSearch = request.mode === "navigate";
    const kept = await cache.match(request, { ignoreSearch });
    if (!kept) throw error;
    return ignoreSearch ? marked(kept) : kept;
  }
}

/** A page that was kept, which is told so: it knows by that that the network is gone. */
async function marked(kept) {
  const { status, statusText, headers } = kept;
  const text = await kept.text();
  return new Response(text.replace("<html", `<html ${MARK}`), { status, statusText, headers });
}

function isOurs(url) {
  return url.startsWith(self.registration.scope);
}
