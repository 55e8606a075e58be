// Starts the worker's wasm. Its address carries a mark of the page's version, and passes it on, so
// that a browser's cache never pairs an old worker with a new page.
const { search } = new URL(import.meta.url);
const { default: start } = await import(`./worker.js${search}`);
await start({ module_or_path: new URL(`./worker_bg.wasm${search}`, import.meta.url) });
