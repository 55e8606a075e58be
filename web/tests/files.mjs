// A server of files on the loopback address, with the headers that a test wants.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8", ".json": "application/json", ".wasm": "application/wasm", ".svg": "image/svg+xml",
  ".yaml": "text/plain; charset=utf-8",
};

/**
 * Serves a folder. `headers` tells the headers of a path; `requests` fills with the paths that were asked
 * for.
 */
export async function serve(folder, headers = () => ({})) {
  const requests = [];
  const server = createServer(async ({ url }, response) => {
    const path = decodeURIComponent(new URL(url, "http://localhost").pathname);
    requests.push(path);
    const file = normalize(join(folder, path.endsWith("/") ? `${path}index.html` : path));
    try {
      if (!file.startsWith(folder)) throw new Error("outside");
      const body = await readFile(file);
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-cache", ...headers(path) });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${server.address().port}/`, requests, close };
}
