// What web/build.mjs bundles into xterm.js: the terminal, loaded beside the page's wasm.
export { Terminal } from "@xterm/xterm";
export { FitAddon } from "@xterm/addon-fit";
export { Unicode11Addon } from "@xterm/addon-unicode11";
