// A Kubernetes cluster for scripts: import { Cluster } from "naru". It runs in a worker, in a browser
// or in Node; index.d.ts says what each call does.

const PARTS = { first: "worker_bg.wasm", rest: "worker_rest.wasm" };
const beside = (name) => new URL(`./site/${name}`, import.meta.url);
const inNode = typeof globalThis.process?.versions?.node === "string" && typeof globalThis.window === "undefined";
const MANIFEST = "manifest.yaml";

/** What was compiled, for all clusters of this program. */
let modules;

async function compile() {
  const [first, rest] = await Promise.all(Object.values(PARTS).map(compileOne));
  return { first, rest };
}

async function compileOne(name) {
  if (!inNode) return WebAssembly.compileStreaming(fetch(beside(name)));
  const { readFile } = await import(/* webpackIgnore: true */ /* @vite-ignore */ "node:fs/promises");
  return WebAssembly.compile(await readFile(beside(name)));
}

async function startWorker() {
  if (!inNode) return new Worker(new URL("./host.js", import.meta.url), { type: "module", name: "naru" });
  const threads = await import(/* webpackIgnore: true */ /* @vite-ignore */ "node:worker_threads");
  const worker = new threads.Worker(new URL("./host.js", import.meta.url));
  // The shape of a browser's.
  return {
    postMessage: (data) => worker.postMessage(data),
    terminate: () => worker.terminate(),
    set onmessage(hear) { worker.on("message", (data) => hear({ data })); },
    set onerror(hear) { worker.on("error", (error) => hear({ message: error.message })); },
  };
}

/** A word for the shell, whatever is in it. */
const quoted = (word) => `'${String(word).replaceAll("'", "'\\''")}'`;

export class Cluster {
  #worker;
  #calls = new Map();
  #count = 0;
  #listeners = new Map();
  #watchers = new Map();
  #failure;

  constructor(token) {
    if (token !== Cluster) throw new TypeError("a cluster is started by Cluster.start or Cluster.restore");
  }

  static start({ profile = "kind", seed = 1, locale = "en_US.UTF-8" } = {}) {
    return Cluster.#begin({ profile: String(profile), seed: Number(seed), locale: String(locale) });
  }

  static restore(session) {
    return Cluster.#begin({ kept: new Uint8Array(session) });
  }

  static async #begin(how) {
    modules ??= compile();
    const [worker, compiled] = await Promise.all([startWorker(), modules]).catch((error) => {
      modules = undefined;
      throw error;
    });
    const cluster = new Cluster(Cluster);
    cluster.#worker = worker;
    worker.onmessage = ({ data }) => cluster.#hear(data);
    worker.onerror = ({ message }) => cluster.#fail(new Error(message));
    await cluster.#call("start", { ...compiled, openapiUrl: beside("openapi.json").href, ...how });
    return cluster;
  }

  exec(command, { timeout } = {}) {
    return this.#call("exec", String(command), timeout);
  }

  async apply(manifest) {
    await this.write(MANIFEST, manifest);
    return this.exec(`kubectl apply -f ${MANIFEST}`);
  }

  async get(what, { namespace, name, selector, allNamespaces } = {}) {
    const options = selection({ namespace, selector, allNamespaces });
    const words = [quoted(what), ...(name === undefined ? [] : [quoted(name)]), ...options];
    const { stdout, stderr, code } = await this.exec(`kubectl get ${words.join(" ")} -o json`);
    if (code !== 0) throw new Error(stderr.trim());
    return JSON.parse(stdout);
  }

  watch(what, options = {}) {
    const number = (this.#count += 1);
    const waiting = [];
    const found = [];
    let ended = null;
    let job;
    const settle = () => {
      while (waiting.length > 0 && (found.length > 0 || ended)) {
        const { resolve, reject } = waiting.shift();
        if (found.length > 0) resolve({ value: found.shift(), done: false });
        else if (ended.error) reject(ended.error);
        else resolve({ value: undefined, done: true });
      }
    };
    const end = (error) => {
      ended ??= { error };
      this.#watchers.delete(number);
      settle();
    };
    this.#watchers.set(number, { take: (it) => { found.push(it); settle(); }, end });
    const words = [quoted(what), ...selection(options)].join(" ");
    const begun = this.#call("watch", words, number).then((it) => { job = it; }, end);
    return {
      [Symbol.asyncIterator]() { return this; },
      next: () => new Promise((resolve, reject) => { waiting.push({ resolve, reject }); settle(); }),
      return: async () => {
        end();
        found.length = 0;
        await begun;
        if (job !== undefined) await this.#call("unwatch", job);
        return { value: undefined, done: true };
      },
    };
  }

  advance(seconds) {
    return this.#call("advance", Number(seconds));
  }

  speed(factor) {
    return this.#call("speed", Number(factor));
  }

  now() {
    return this.#call("now");
  }

  write(path, content) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : new Uint8Array(content);
    return this.#call("write", String(path), bytes);
  }

  read(path) {
    return this.#call("read", String(path));
  }

  fault(words) {
    return this.#call("fault", String(words));
  }

  snapshot() {
    return this.#call("snapshot");
  }

  digest() {
    return this.#call("digest");
  }

  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    if (listeners.size === 0) this.#call("listen", event, true).catch(() => {});
    listeners.add(listener);
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.#call("listen", event, false).catch(() => {});
    };
  }

  async close() {
    this.#fail(new Error("the cluster was closed"));
    await this.#worker.terminate();
  }

  #hear({ id, value, error, event, number, detail }) {
    if (event === "watch") return this.#watchers.get(number)?.take(detail);
    if (event === "ended") {
      const { code, stderr } = detail;
      return this.#watchers.get(number)?.end(code === 0 ? undefined : new Error(stderr.trim()));
    }
    if (event) return this.#listeners.get(event)?.forEach((listener) => listener(detail));
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return error === undefined ? call?.resolve(value) : call?.reject(new Error(error));
  }

  #call(method, ...args) {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = (this.#count += 1);
      this.#calls.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, args });
    });
  }

  #fail(error) {
    this.#failure = error;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    for (const { end } of [...this.#watchers.values()]) end(error);
  }
}

function selection({ namespace, selector, allNamespaces }) {
  return [
    ...(namespace === undefined ? [] : ["-n", quoted(namespace)]),
    ...(selector === undefined ? [] : ["-l", quoted(selector)]),
    ...(allNamespaces ? ["-A"] : []),
  ];
}
