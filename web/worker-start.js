// Starts the worker's wasm. Its address carries a mark of the page's version, and passes it on, so
// that a browser's cache never pairs an old worker with a new page.
const early = [];
// The page speaks at once; what it says while the wasm is on its way would be lost.
self.onmessage = (event) => early.push(event);

const { search } = new URL(import.meta.url);
const { default: start } = await import(`./worker.js${search}`);
await start({ module_or_path: new URL(`./worker_bg.wasm${search}`, import.meta.url) });

// The wasm has its own listener now.
for (const event of early) self.onmessage(event);
