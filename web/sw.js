// Lets the page open without a network after the first visit. The network is asked first, so that
// nobody meets an old page while a new one is to be had; what it said last is kept for when it is
// silent.

const CACHE = "naru-1";
/** Loaded late or never, but wanted when the network is gone. */
const LATE = ["codemirror.js", "openapi.json"];

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  const old = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
  };
  event.waitUntil(old());
});

// The page tells what it was made of: its first visit was over before this began to listen.
self.addEventListener("message", (event) => {
  if (!Array.isArray(event.data)) return;
  const wanted = [...event.data, ...LATE.map((name) => new URL(name, self.registration.scope).href)];
  const keep = async () => {
    const cache = await caches.open(CACHE);
    await Promise.all([...new Set(wanted)].filter(isOurs).map(async (url) => {
      const answer = await fetch(url).catch(() => undefined);
      if (answer?.ok) await cache.put(url, answer);
    }));
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
    if (kept) return kept;
    throw error;
  }
}

function isOurs(url) {
  return url.startsWith(self.registration.scope);
}
