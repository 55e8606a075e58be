// Makes the npm package of the built site: node web/npm/pack.mjs DIST OUT VERSION. The package's folder is
// OUT/naru, the file to publish OUT/naru-VERSION.tgz. It tells what is in it and how large it is.
import { spawnSync } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [dist, out, version] = process.argv.slice(2);
const here = fileURLToPath(new URL(".", import.meta.url));
const root = resolve(here, "../..");
/** What of this folder is no part of the package. */
const OURS = new Set(["pack.mjs"]);
/** What of the site is there for tests. */
const FOR_TESTS = new Set(["widget-test.html"]);

const to = resolve(out, "naru");
await rm(to, { recursive: true, force: true });
await mkdir(to, { recursive: true });
await cp(here, to, { recursive: true, filter: (file) => !OURS.has(basename(file)) });
await cp(resolve(dist), join(to, "site"), { recursive: true, filter: (file) => !FOR_TESTS.has(basename(file)) });
for (const licence of ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"]) await cp(join(root, licence), join(to, licence));

const manifest = JSON.parse(await readFile(join(to, "package.json"), "utf8"));
await writeFile(join(to, "package.json"), `${JSON.stringify({ ...manifest, version }, null, 2)}\n`);

const npm = spawnSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", resolve(out)], { cwd: to, encoding: "utf8" });
if (npm.status !== 0) throw new Error(npm.stderr || String(npm.error));
const [packed] = JSON.parse(npm.stdout);
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
const lessons = packed.files.filter(({ path }) => path.startsWith("site/lessons/"));
const others = packed.files.filter((file) => !lessons.includes(file));
for (const { path, size } of others.sort((a, b) => b.size - a.size)) console.log(path.padEnd(44), kilobytes(size).padStart(12));
const lessonBytes = lessons.reduce((sum, { size }) => sum + size, 0);
console.log(`${lessons.length} files of lessons`.padEnd(44), kilobytes(lessonBytes).padStart(12));
console.log("unpacked".padEnd(44), kilobytes(packed.unpackedSize).padStart(12));
console.log(packed.filename.padEnd(44), kilobytes(packed.size).padStart(12));
