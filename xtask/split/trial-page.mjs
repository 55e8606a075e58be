// Runs the page without a browser, as its first moments go, and writes down what of its wasm was run:
// `node trial-page.mjs DIST MARKED MARKS TOLD LANGUAGE`, where MARKED is what `naru-split mark` made of
// the page's wasm, and TOLD what the worker has told in its own trial (trial-worker.mjs). What MARKS
// says already stays.
//
// There is a document as far as the page makes and changes one. It is never looked at.
import { mkdtemp, readFile, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [dist, marked, marks, told] = process.argv.slice(2, 6).map((path) => resolve(path));
const language = process.argv[6];
/** Whether the system is dark: as good a guess by day as by night. */
const dark = language !== "ko";
/** The size of each element, in pixels. */
const [WIDTH, HEIGHT] = [900, 500];
/** What a frame takes, and what looking at the clock does, in milliseconds. */
const [FRAME, LOOK] = [16, 0.05];
/** How long the page goes on after the last that it is told, in milliseconds of its time. */
const GOES_ON = 500;

let now = 0;
let failure = null;
const timers = new Map();
let lastTimer = 0;
const after = (ms, call) => { timers.set(++lastTimer, { due: now + (ms || 0), call }); return lastTimer; };

class Node extends EventTarget {
  childNodes = [];
  parentNode = null;
  constructor(name, text = null) {
    super();
    Object.assign(this, { nodeName: name, nodeValue: text });
  }
  get textContent() { return this.nodeValue ?? this.childNodes.map((it) => it.textContent).join(""); }
  set textContent(text) { this.nodeValue = text; }
  get parentElement() { return this.parentNode; }
  get firstChild() { return this.childNodes[0] ?? null; }
  get lastChild() { return this.childNodes.at(-1) ?? null; }
  get nextSibling() {
    const all = this.parentNode?.childNodes ?? [];
    return all[all.indexOf(this) + 1] ?? null;
  }
  get isConnected() { return true; }
  insertBefore(child, before) {
    child.remove();
    const at = before ? this.childNodes.indexOf(before) : this.childNodes.length;
    this.childNodes.splice(at, 0, child);
    child.parentNode = this;
    return child;
  }
  appendChild(child) { return this.insertBefore(child, null); }
  append(...children) { children.forEach((child) => this.appendChild(child)); }
  removeChild(child) { child.remove(); return child; }
  remove() {
    const all = this.parentNode?.childNodes;
    if (all) all.splice(all.indexOf(this), 1);
    this.parentNode = null;
  }
  contains() { return false; }
  cloneNode() { return new this.constructor(this.nodeName, this.nodeValue); }
}
class Text extends Node {}
class Comment extends Node {}
class Element extends Node {
  attributes = new Map();
  style = { setProperty() {}, getPropertyValue: () => "" };
  classList = { add() {}, remove() {}, toggle() {} };
  clientWidth = WIDTH;
  clientHeight = HEIGHT;
  scrollLeft = 0;
  scrollTop = 0;
  get tagName() { return this.nodeName; }
  get children() { return this.childNodes; }
  get innerHTML() { return ""; }
  set innerHTML(_) { this.childNodes = []; }
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  setAttribute(name, value) { this.attributes.set(name, value); }
  removeAttribute(name) { this.attributes.delete(name); }
  hasAttribute(name) { return this.attributes.has(name); }
  getBoundingClientRect() { return { x: 0, y: 0, left: 0, top: 0, width: WIDTH, height: HEIGHT }; }
  querySelector() { return null; }
  querySelectorAll() { return []; }
  closest() { return null; }
  focus() {}
  scrollIntoView() {}
  getContext() { return null; }
  cloneNode() {
    const clone = super.cloneNode();
    clone.attributes = new Map(this.attributes);
    return clone;
  }
}
class HTMLElement extends Element { namespaceURI = "http://www.w3.org/1999/xhtml"; }
const named = Object.fromEntries(
  ["HTMLInputElement", "HTMLSelectElement", "HTMLTextAreaElement", "HTMLCanvasElement"].map((name) =>
    [name, class extends HTMLElement {}]),
);
class SVGElement extends Element { namespaceURI = "http://www.w3.org/2000/svg"; }
const classes = {
  input: named.HTMLInputElement, select: named.HTMLSelectElement,
  textarea: named.HTMLTextAreaElement, canvas: named.HTMLCanvasElement,
};
const make = (name, space) =>
  new (space?.endsWith("svg") ? SVGElement : classes[name] ?? HTMLElement)(name);
class Document extends Node {
  documentElement = make("html");
  body = make("body");
  head = make("head");
  title = "";
  activeElement = null;
  createElement(name) { return make(name); }
  createElementNS(space, name) { return make(name, space); }
  createTextNode(text) { return new Text("#text", text); }
  createComment(text) { return new Comment("#comment", text); }
  getElementById() { return null; }
  querySelector() { return null; }
  querySelectorAll() { return []; }
}

// The terminal is another file of JavaScript, which the document would have to be a real one for.
const beside = await mkdtemp(join(tmpdir(), "naru-trial-"));
await writeFile(join(beside, "xterm.js"), `
  const nothing = () => {};
  const it = () => new Proxy(nothing, {
    get: (_, name) => name === "then" ? undefined : name === "options" ? {} : it(),
    set: () => true, apply: () => undefined,
  });
  export const Terminal = function () { return it(); };
  export const FitAddon = Terminal;
  export const Unicode11Addon = Terminal;
`);
const document = new Document("#document");
document.baseURI = pathToFileURL(`${beside}/`).href;
document.documentElement.appendChild(document.head);
document.documentElement.appendChild(document.body);
// What stands in index.html, which the page takes away.
document.body.append(make("noscript"), make("script"));

class Window {
  static [Symbol.hasInstance](it) { return it === globalThis; }
}
class Storage {
  getItem() { return null; }
  setItem() {}
  removeItem() {}
}
class ResizeObserver {
  constructor(call) { this.call = call; }
  observe() { after(0, () => this.call([], this)); }
  disconnect() {}
}
class Worker extends EventTarget {
  onmessage = null;
  postMessage(message) { said(message); }
  terminate() {}
}
const events = new EventTarget();
const worker = new Worker();
const browser = {
  Window, Document, Node, Text, Comment, Element, HTMLElement, SVGElement, SVGGraphicsElement: SVGElement,
  ...named, Storage, ResizeObserver, Worker, document, window: globalThis, self: globalThis,
  localStorage: new Storage(), sessionStorage: new Storage(),
  location: { href: "http://localhost/", search: "", pathname: "/", hash: "", origin: "http://localhost" },
  navigator: { language, languages: [language], clipboard: { writeText: async () => {} } },
  performance: { now: () => (now += LOOK), mark() {}, getEntriesByType: () => [] },
  devicePixelRatio: 1, innerWidth: 1440, innerHeight: 900,
  matchMedia: () => ({ matches: dark, addEventListener() {}, removeEventListener() {} }),
  getComputedStyle: () => ({ getPropertyValue: () => "" }),
  requestAnimationFrame: (call) => after(FRAME, () => call(now)),
  cancelAnimationFrame: (frame) => timers.delete(frame),
  setTimeout: (call, ms) => after(ms, call),
  clearTimeout: (timer) => timers.delete(timer),
  setInterval: () => 0, clearInterval() {},
  addEventListener: (...of) => events.addEventListener(...of),
  removeEventListener: (...of) => events.removeEventListener(...of),
  naruWorker: () => worker,
};
const { setImmediate: later, console: { error: complain } } = globalThis;
globalThis.console.error = (...what) => { failure ??= what.join(" "); complain(...what); };
for (const [name, value] of Object.entries(browser)) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}

// What the worker tells comes once the page has asked for a cluster.
const reports = JSON.parse(await readFile(told, "utf8"));
let asked = false;
function said() {
  if (asked) return;
  asked = true;
  reports.forEach(([at, bytes]) => after(at, () => {
    worker.onmessage?.({ data: Uint8Array.from(Buffer.from(bytes, "base64")) });
  }));
}

const glue = (await readdir(dist)).find((name) => /^page.*\.js$/.test(name));
const { default: start } = await import(pathToFileURL(join(dist, glue)));
const wasm = await start({ module_or_path: await WebAssembly.compile(await readFile(marked)) });
let last = 0;
for (let idle = 0; idle < 20 && now < last + GOES_ON; ) {
  // Promises have their turns first.
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => later(resolve));
  const [next] = [...timers].sort(([, a], [, b]) => a.due - b.due);
  if (!next) { idle += 1; continue; }
  if (asked && last === 0) last = now + (reports.at(-1)?.[0] ?? 0);
  const [timer, { call, due }] = next;
  timers.delete(timer);
  now = Math.max(now, due);
  call();
  if (last === 0 && now > GOES_ON) break;
}

const { naru_marks, naru_marks_count, memory } = wasm;
const known = await readFile(marks).catch(() => []);
const now_run = new Uint8Array(memory.buffer, naru_marks.value, naru_marks_count.value);
const run = now_run.map((mark, at) => mark | (known[at] ?? 0));
if (failure) throw new Error(failure);
if (!asked) throw new Error("the page has asked for no cluster");
if (!document.body.textContent.includes("kube-apiserver")) throw new Error("the page shows no cluster");
console.log(`${run.reduce((sum, mark) => sum + mark, 0)} of ${run.length} stretches are run at first`);
await writeFile(marks, run);
process.exit(0);
