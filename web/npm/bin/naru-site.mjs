#!/usr/bin/env node
// Copies the site that <naru-sandbox> shows to where a documentation site serves files from:
// npx naru-site static/naru
import { cp, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const [to, ...more] = process.argv.slice(2);
if (!to || to.startsWith("-") || more.length > 0) {
  console.error("usage: naru-site FOLDER\n\nCopies the site that <naru-sandbox> shows into FOLDER.");
  process.exit(2);
}
await mkdir(to, { recursive: true });
await cp(fileURLToPath(new URL("../site/", import.meta.url)), to, { recursive: true });
console.log(`copied to ${to}`);
