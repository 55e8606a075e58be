// Starts the page. A file, since the site's Content-Security-Policy has no inline scripts; Trunk
// writes the names of the page's module and wasm into this script's element (see Trunk.toml).
const { module, wasm } = document.querySelector("script[data-wasm]").dataset;
const { default: start } = await import(new URL(module, document.baseURI));
await start({ module_or_path: new URL(wasm, document.baseURI) });
