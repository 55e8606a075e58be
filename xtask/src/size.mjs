// Prints the size of each file of a folder, raw and brotli, largest first: node size.mjs DIR
import { readdirSync, readFileSync } from "node:fs";
import { extname, join, relative } from "node:path";
import { brotliCompressSync } from "node:zlib";

const dir = process.argv[2];
const shown = new Set([".wasm", ".js", ".css", ".html"]);

const files = readdirSync(dir, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && shown.has(extname(entry.name)))
  .map((entry) => {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const bytes = readFileSync(path);
    return { name: relative(dir, path), raw: bytes.length, brotli: brotliCompressSync(bytes).length };
  })
  .sort((a, b) => b.raw - a.raw);

const total = (kind, name) => {
  const of = files.filter((file) => extname(file.name) === kind);
  const sum = (key) => of.reduce((bytes, file) => bytes + file[key], 0);
  return { name, raw: sum("raw"), brotli: sum("brotli") };
};
const row = (name, raw, brotli) => console.log(name.padEnd(44), raw.padStart(10), brotli.padStart(10));
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

row("file", "raw", "brotli");
for (const file of [...files, total(".wasm", "all wasm"), total(".js", "all JavaScript")]) {
  row(file.name, kilobytes(file.raw), kilobytes(file.brotli));
}
