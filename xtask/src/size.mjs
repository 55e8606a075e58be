// Prints the size of each file of a folder, raw and brotli, largest first, and what a first visit
// loads until the cluster answers: node size.mjs DIR [--json]
import { readdirSync, readFileSync } from "node:fs";
import { basename, extname, join, relative } from "node:path";
import { brotliCompressSync } from "node:zlib";

const dir = process.argv[2];
const shown = new Set([".wasm", ".js", ".css", ".html", ".svg", ".json", ".yaml"]);
/** What comes after the page can be used, or when it is asked for. */
const later = new Set(["page_rest.wasm", "worker_rest.wasm", "codemirror.js", "openapi.json", "offline.json", "sw.js",
  "naru-sandbox.js", "embed.html", "widget-test.html"]);

const files = readdirSync(dir, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && shown.has(extname(entry.name)))
  .map((entry) => {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const bytes = readFileSync(path);
    return { name: relative(dir, path), raw: bytes.length, brotli: brotliCompressSync(bytes).length };
  })
  .sort((a, b) => b.raw - a.raw);

// Of the lessons, each a file, one is loaded first. Any is as good for the sum.
const lessons = files.filter(({ name }) => basename(name) === "lesson.yaml");
const site = files.filter(({ name }) => !name.startsWith("lessons"));
const first = [...site.filter(({ name }) => !later.has(name)), ...lessons.slice(0, 1)];

const total = (name, of) => {
  const sum = (key) => of.reduce((bytes, file) => bytes + file[key], 0);
  return { name, raw: sum("raw"), brotli: sum("brotli") };
};
const kind = (extension) => site.filter(({ name }) => extname(name) === extension);
const totals = [
  total("all wasm", kind(".wasm")),
  total("all JavaScript", kind(".js")),
  total(`${lessons.length} lessons`, lessons),
  total("first load", first),
];

if (process.argv.includes("--json")) {
  console.log(JSON.stringify({ files: site, totals }));
} else {
  const row = (name, raw, brotli) => console.log(name.padEnd(44), raw.padStart(10), brotli.padStart(10));
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
  row("file", "raw", "brotli");
  for (const file of [...site, ...totals]) row(file.name, kilobytes(file.raw), kilobytes(file.brotli));
}
