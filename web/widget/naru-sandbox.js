// <naru-sandbox lesson="0101-first-pod" lang="ko" height="640"> — a cluster inside any page.
//
//   <script type="module" src="https://…/naru-sandbox.js"></script>
//   <naru-sandbox lesson="0101-first-pod" lang="ko" height="640"></naru-sandbox>
//
// docs/embedding.md says what its attributes mean; naru-sandbox.d.ts says what scripts can do with it.
//
// The sandbox is an iframe of the page that lies beside this file. A frame has its own document,
// its own styles and its own worker, so several on one page cannot disturb each other, nor the page
// them; and a worker may be started there, which a page of another origin may not. The two sides
// speak by a MessageChannel whose port is handed to that frame and origin only. What stands around the
// frame is in a shadow tree: neither the page's styles nor this element's leave their side. Frames of one
// site are introduced to one another, so that what they load is compiled once (see beside.js).

import { textsOf } from "./texts.js";

/** Where the site lies, unless the element or the class says otherwise. */
const HOME = new URL("./", import.meta.url);
const HEIGHT = 640;
/** How far off the screen a sandbox may be when it is started. */
const NEAR = "200px";
/** What is handed on to the page in the frame as it is. */
const HANDED_ON = ["lesson", "step", "profile", "seed", "speed", "theme"];
/** The file of a manifest that stands inside the element. */
const MANIFEST = "manifest.yaml";

const STYLE = `
  :host { display: block; position: relative; color-scheme: light dark; }
  :host([hidden]) { display: none; }
  :host([theme="light"]) { color-scheme: light; }
  :host([theme="dark"]) { color-scheme: dark; }
  iframe { display: block; width: 100%; border: 0; border-radius: 12px; }
  .poster {
    box-sizing: border-box; display: grid; align-content: center; justify-items: center; gap: 16px;
    padding: 24px; overflow: auto; text-align: center; word-break: keep-all; font: 16px/1.6 system-ui, sans-serif;
    color: light-dark(#1e2b2b, #e6eae4); background: light-dark(#f2ede1, #0b1417);
    border: 1px solid light-dark(#e0d8c6, #263a3e); border-radius: 12px;
  }
  .poster p { margin: 0; max-width: 60ch; }
  button {
    font: 600 16px/1.4 system-ui, sans-serif; min-height: 44px; padding: 6px 22px; border: 0; border-radius: 99px;
    color: light-dark(#ffffff, #0b1f1c); background: light-dark(#1b6a5e, #7fd1bd); cursor: pointer;
  }
  button:focus-visible { outline: 3px solid light-dark(#b0492f, #f3c86a); outline-offset: 2px; }
  .skip { position: absolute; z-index: 1; top: 8px; left: 8px; }
  .skip:not(:focus) { width: 1px; height: 1px; min-height: 0; padding: 0; overflow: hidden; clip-path: inset(50%); }
  .edge { position: absolute; outline: none; }
  .words { display: none; }
  @media print {
    iframe, button { display: none; }
    .words { display: block; }
  }
`;

/** The styles, shared by all elements. A style sheet of this kind is subject to no `style-src`. */
let sheet;
function styles() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
  }
  return sheet;
}

/** How frames begin what they say of those beside them. */
const BESIDE = "naru-beside";
/** The frames that have asked for those beside them: their windows and origins, by number. */
const frames = new Map();
let introductions = 0;

/** Gives a frame that has begun a channel to each one of its site that was there before. */
function introduce(window, home) {
  forget(window);
  const before = [...frames].filter(([, other]) => other.home.href === home.href);
  const channels = before.map(() => new MessageChannel());
  before.forEach(([, other], at) => other.window.postMessage({ [BESIDE]: {} }, home.origin, [channels[at].port1]));
  const ports = channels.map(({ port2 }) => port2);
  window.postMessage({ [BESIDE]: { before: before.map(([number]) => number) } }, home.origin, ports);
  frames.set(introductions += 1, { window, home });
}

/** Tells the others that a frame is gone, or begins anew. */
function forget(window) {
  const [number] = [...frames].find(([, it]) => it.window === window) ?? [];
  if (!frames.delete(number)) return;
  for (const { window, home } of frames.values()) window.postMessage({ [BESIDE]: { gone: number } }, home.origin);
}

/** A promise, and what settles it. */
function deferred() {
  const it = {};
  it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }));
  // Who does not wait for it is not bothered by its failure either.
  it.promise.catch(() => {});
  return it;
}

export class NaruSandbox extends HTMLElement {
  /** Where the site lies, for every element that does not say otherwise: a URL. */
  static home = HOME.href;
  static observedAttributes = ["height", "lang", "theme", "speed", "title"];

  #root;
  #frame;
  /** The frame's window, which it has lost once it is taken out of the page. */
  #window;
  #port;
  #observer;
  #calls = new Map();
  #count = 0;
  #connected = deferred();
  #ready = deferred();
  #offline = deferred();

  /** Resolves when the cluster runs, and what the attributes ask for was typed. */
  get ready() {
    return this.#ready.promise;
  }

  /** Resolves when all is kept that the sandbox needs without a network: see `offline`. */
  get kept() {
    return this.#offline.promise;
  }

  /** Whether it has been started. */
  get started() {
    return this.#frame !== undefined;
  }

  connectedCallback() {
    if (this.#frame) return;
    this.#root ??= this.attachShadow({ mode: "open" });
    this.#root.adoptedStyleSheets = [styles()];
    this.#showPoster();
    const when = this.getAttribute("start") ?? "visible";
    if (when === "load") this.start();
    else if (when !== "click") this.#startWhenSeen();
  }

  disconnectedCallback() {
    // An element that is moved is taken out and put in again, and its frame loads anew either way.
    this.#observer?.disconnect();
    this.#port?.close();
    removeEventListener("message", this.#meets);
    forget(this.#window);
    this.#window = undefined;
    this.#frame?.remove();
    this.#frame = this.#port = undefined;
    this.#fail(new Error("the sandbox was taken out of the page"));
    this.#connected = deferred();
    this.#ready = deferred();
    this.#offline = deferred();
  }

  attributeChangedCallback(name, before, value) {
    if (before === value) return;
    if (name === "height") this.#size();
    else if (name === "title") this.#frame?.setAttribute("title", this.#title());
    else if (name === "speed") this.#port && this.#call("speed", Number(value ?? 1)).catch(() => {});
    else this.#port && this.#call("set", name, value ?? "").catch(() => {});
  }

  /** Starts it, if it has not been: it is started by itself when it comes near the screen. */
  start() {
    if (this.#frame || !this.isConnected) return;
    this.#observer?.disconnect();
    const frame = document.createElement("iframe");
    frame.src = this.#address();
    frame.title = this.#title();
    frame.allow = "clipboard-read; clipboard-write";
    this.#frame = frame;
    addEventListener("message", this.#meets);
    const texts = this.#texts();
    const skip = this.#button(texts.skip, () => this.#edge("end").focus());
    skip.className = "skip";
    const words = document.createElement("div");
    words.className = "words";
    words.append(document.createElement("slot"));
    this.#root.replaceChildren(this.#edgeElement("begin"), skip, frame, this.#edgeElement("end"), words);
    this.#size();
    frame.addEventListener("load", () => this.#connect());
    this.#prepare();
  }

  /** Runs a command to its end, as fast as possible: `{ stdout, stderr, code }`. */
  exec(command) {
    return this.#asked("exec", String(command));
  }

  /** Types a line into the terminal, where it is seen. */
  type(line) {
    return this.#asked("type", String(line));
  }

  /** Lets seconds of the cluster's time pass, as fast as possible. */
  advance(seconds) {
    return this.#asked("advance", Number(seconds));
  }

  /** How fast time goes by itself: times as fast as real time; 0 stands still. */
  speed(factor) {
    return this.#asked("speed", Number(factor));
  }

  /** Applies a manifest, as `kubectl apply -f` does. */
  async apply(manifest, name = MANIFEST) {
    await this.write(name, manifest);
    return this.exec(`kubectl apply -f '${String(name).replaceAll("'", "'\\''")}'`);
  }

  /** What `kubectl get … -o json` says, parsed. */
  async get(what, ...more) {
    const { stdout, stderr, code } = await this.exec(["kubectl get", what, ...more, "-o json"].join(" "));
    if (code !== 0) throw new Error(stderr.trim());
    return JSON.parse(stdout);
  }

  /** Writes a file of the learner's home directory: text or bytes. */
  write(path, content) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : new Uint8Array(content);
    return this.#asked("write", String(path), bytes);
  }

  /** A file of the learner's home directory: bytes. */
  read(path) {
    return this.#asked("read", String(path));
  }

  /** Breaks something, or mends it, in the words of `naru fault`. */
  fault(words) {
    return this.#asked("fault", String(words));
  }

  /** Opens a step of the lesson, counted from 0. */
  step(step) {
    return this.#asked("step", Number(step));
  }

  /** The session, to be kept: bytes. */
  snapshot() {
    return this.#asked("snapshot");
  }

  /** Takes up a session that was kept. */
  restore(session) {
    return this.#asked("restore", new Uint8Array(session));
  }

  /** Hears `step`, `event`, `ready` or `error`; what is returned ends that. */
  on(event, listener) {
    const hear = ({ detail }) => listener(detail);
    this.addEventListener(`naru-${event}`, hear);
    return () => this.removeEventListener(`naru-${event}`, hear);
  }

  #asked(method, ...values) {
    this.start();
    return this.#ready.promise.then(() => this.#call(method, ...values));
  }

  // ---- before it is started ----

  #showPoster() {
    const poster = document.createElement("div");
    poster.className = "poster";
    poster.part.add("poster");
    const texts = this.#texts();
    const words = document.createElement("slot");
    const hint = document.createElement("p");
    hint.textContent = texts.poster;
    words.append(hint);
    poster.append(words, this.#button(texts.start, () => this.start()));
    this.#root.replaceChildren(poster);
    this.#size();
  }

  #startWhenSeen() {
    this.#observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.start();
    }, { rootMargin: NEAR });
    this.#observer.observe(this);
  }

  #button(text, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", act);
    return button;
  }

  /** Where the focus is when it has left the frame, at one end or the other. */
  #edgeElement(name) {
    const edge = document.createElement("span");
    edge.className = "edge";
    edge.dataset.edge = name;
    edge.tabIndex = -1;
    return edge;
  }

  #edge(name) {
    return this.#root.querySelector(`[data-edge="${name}"]`);
  }

  // ---- what the attributes say ----

  #language() {
    return this.closest("[lang]")?.lang || document.documentElement.lang || navigator.language;
  }

  #texts() {
    return textsOf(this.#language());
  }

  #title() {
    return this.getAttribute("title") ?? this.#texts().title;
  }

  #home() {
    const home = this.getAttribute("home");
    return new URL(home === null ? NaruSandbox.home : home.replace(/\/*$/, "/"), document.baseURI);
  }

  #address() {
    const address = new URL("embed.html", this.#home());
    const words = address.searchParams;
    words.set("embed", "1");
    words.set("lang", this.#language());
    for (const name of HANDED_ON) {
      const value = this.getAttribute(name);
      if (value) words.set(name, value);
    }
    const plays = this.hasAttribute("profile") || this.#manifestElement() || this.hasAttribute("manifest")
      || this.hasAttribute("commands");
    if (plays && !words.has("lesson") && !words.has("profile")) words.set("profile", "kind");
    const show = this.getAttribute("show");
    if (show) words.set("show", show.trim().split(/[\s,]+/).join(","));
    if (this.hasAttribute("offline")) words.set("offline", "1");
    return address.href;
  }

  #size() {
    const box = this.#frame ?? this.#root?.querySelector(".poster");
    if (!box) return;
    const height = Number.parseInt(this.getAttribute("height") ?? "", 10);
    box.style.height = `${Number.isFinite(height) && height > 0 ? height : HEIGHT}px`;
  }

  #manifestElement() {
    return this.querySelector(":scope > script[type='application/yaml']");
  }

  /** The name and the text of the manifest, if there is one. */
  async #manifest() {
    const inside = this.#manifestElement();
    if (inside) return [MANIFEST, unindented(inside.textContent)];
    const file = this.getAttribute("manifest");
    if (!file) return null;
    const address = new URL(file, document.baseURI);
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${file}: ${answer.status} ${answer.statusText}`);
    return [address.pathname.split("/").at(-1) || MANIFEST, await answer.text()];
  }

  // ---- what is said to the frame, and what it says ----

  /** Waits until the cluster is there, and types what is to be typed. */
  async #prepare() {
    const ready = this.#ready;
    try {
      await this.#connected.promise;
      await this.#call("ready");
      this.#call("kept").then(this.#offline.resolve, this.#offline.reject);
      const manifest = await this.#manifest();
      if (manifest) {
        const [name, text] = manifest;
        await this.#call("write", name, new TextEncoder().encode(text));
        await this.#call("type", `kubectl apply -f ${name}`);
      }
      const commands = unindented(this.getAttribute("commands") ?? "").split("\n");
      for (const command of commands.filter((line) => line.trim() !== "")) await this.#call("type", command);
      ready.resolve();
      this.#tell("naru-ready", {});
    } catch (error) {
      ready.reject(error);
      if (ready === this.#ready) this.#tell("naru-error", { message: error.message });
    }
  }

  /** The frame asks for those beside it. */
  #meets = ({ source, origin, data }) => {
    if (data !== BESIDE || source !== this.#frame.contentWindow || origin !== this.#home().origin) return;
    this.#window = source;
    introduce(source, this.#home());
  };

  #connect() {
    const { port1, port2 } = new MessageChannel();
    this.#port?.close();
    this.#port = port1;
    port1.onmessage = ({ data }) => this.#hear(data);
    this.#frame.contentWindow.postMessage("naru-connect", this.#home().origin, [port2]);
    this.#connected.resolve();
  }

  #hear({ id, value, error, event, detail }) {
    if (event === "naru-leave") {
      this.#edge(detail.backwards ? "begin" : "end")?.focus();
      return;
    }
    if (event) {
      this.#tell(event, detail);
      return;
    }
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  }

  #tell(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail, bubbles: true, composed: true }));
  }

  #call(method, ...values) {
    return new Promise((resolve, reject) => {
      const id = (this.#count += 1);
      this.#calls.set(id, { resolve, reject });
      this.#port.postMessage({ id, method, values });
    });
  }

  /** Nobody waits any longer for what will not come. */
  #fail(error) {
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    this.#connected.reject(error);
    this.#ready.reject(error);
    this.#offline.reject(error);
  }
}

/** A text without the indentation that all its lines have. */
function unindented(text) {
  const lines = text.replace(/^\s*\n/, "").trimEnd().split("\n");
  const depths = lines.filter((line) => line.trim() !== "").map((line) => line.match(/^ */)[0].length);
  const depth = Math.min(...depths, Infinity);
  return lines.map((line) => line.slice(Number.isFinite(depth) ? depth : 0)).join("\n") + (lines.join("") && "\n");
}

/** A button with `data-naru-run` types its line into the sandbox that `data-naru-for` names, or into the
 * nearest one before it, or the first of the page. */
function runByButton(event) {
  const button = event.target instanceof Element ? event.target.closest("[data-naru-run]") : null;
  if (!button) return;
  const named = button.dataset.naruFor;
  const all = [...document.querySelectorAll("naru-sandbox")];
  const isBefore = (it) => it.compareDocumentPosition(button) & Node.DOCUMENT_POSITION_FOLLOWING;
  const sandbox = named ? document.getElementById(named) : (all.filter(isBefore).at(-1) ?? all[0]);
  sandbox?.type(button.dataset.naruRun);
}

if (!customElements.get("naru-sandbox")) {
  customElements.define("naru-sandbox", NaruSandbox);
  document.addEventListener("click", runByButton);
}
