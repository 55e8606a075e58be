// Bundles the JavaScript packages and the stylesheets into web/generated/. Trunk runs it before it
// builds (see Trunk.toml), and takes what it made by the links in index.html.
import { build } from "esbuild";
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

await Promise.all([
  build({ ...common, entryPoints: ["js/xterm.js"], outfile: "generated/xterm.js" }),
  build({ ...common, entryPoints: ["js/codemirror.js"], outfile: "generated/codemirror.js" }),
  build({ ...common, entryPoints: ["widget/naru-sandbox.js"], outfile: "generated/naru-sandbox.js" }),
  build({ ...common, entryPoints: ["styles/index.css"], outfile: "generated/style.css" }),
]);
console.log(`bundled to ${join("web", "generated")}`);
