// Bundles the JavaScript packages and the stylesheets into web/generated/. Trunk runs it before it
// builds (see Trunk.toml), and takes what it made by the links in index.html.
import { build } from "esbuild";
import { existsSync, readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(fileURLToPath(import.meta.url));

const common = {
  absWorkingDir: web,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
};

// The terminal is bundled of its source: what its packages carry twice comes once, and what is private
// to it, which its own bundles leave their names, is called by letters.
const xterm = (path) => join(web, "node_modules/@xterm", path);
const terminal = {
  alias: {
    "@xterm/xterm": xterm("xterm/src/browser/public/Terminal.ts"),
    "@xterm/addon-fit": xterm("addon-fit/src/FitAddon.ts"),
    "@xterm/addon-unicode11": xterm("addon-unicode11/src/Unicode11Addon.ts"),
    browser: xterm("xterm/src/browser"),
    common: xterm("xterm/src/common"),
    vs: xterm("xterm/src/vs"),
  },
  tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: false } },
  mangleProps: /^_[a-zA-Z]/,
};

await Promise.all([
  build({ ...common, ...terminal, entryPoints: ["js/xterm.js"], outfile: "generated/xterm.js" }),
  build({ ...common, entryPoints: ["js/codemirror.js"], outfile: "generated/codemirror.js" }),
  build({ ...common, entryPoints: ["widget/naru-sandbox.js"], outfile: "generated/naru-sandbox.js" }),
  build({ ...common, entryPoints: ["styles/index.css"], outfile: "generated/style.css" }),
]);

// What the service worker keeps besides what a visit has loaded.
const lessons = readdirSync(join(web, "../lessons"))
  .map((folder) => `lessons/${folder}/lesson.yaml`)
  .filter((file) => existsSync(join(web, "..", file)))
  .sort();
const late = ["codemirror.js", "openapi.json", ...lessons];
await writeFile(join(web, "generated/offline.json"), JSON.stringify(late));
console.log(`bundled to ${join("web", "generated")}`);
