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

await Promise.all([
  build({ ...common, entryPoints: ["js/xterm.js"], outfile: "generated/xterm.js" }),
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
