// Takes out of the built site's scripts what is there for people: names, comments, blanks. The bundled ones
// (build.mjs) are without it already. Trunk runs this once it has built the page, unless in a hurry.
import { transform } from "esbuild";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const folder = process.env.TRUNK_STAGING_DIR;
const scripts = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".js"));
if (process.env.TRUNK_PROFILE === "release") {
  await Promise.all(scripts.map(async (name) => {
    const path = join(folder, name);
    const options = { minify: true, format: "esm", target: "es2022", legalComments: "none" };
    const { code } = await transform(await readFile(path, "utf8"), options);
    await writeFile(path, code);
  }));
}
