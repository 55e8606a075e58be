// Makes embed.html of the built page: what a widget's frame shows. It is the same page, but what a frame
// may get from the one beside it is not loaded ahead. Trunk runs this once it has built the page.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const folder = process.env.TRUNK_STAGING_DIR;
const page = await readFile(join(folder, "index.html"), "utf8");
await writeFile(join(folder, "embed.html"), page.replaceAll(/<link [^>]*rel="?preload"?[^>]*>/g, ""));
