// <naru-sandbox lesson="0101-first-pod" lang="ko" height="640"> — a cluster inside any page.
//
//   <script type="module" src="https://…/naru-sandbox.js"></script>
//   <naru-sandbox lesson="0101-first-pod" lang="ko" height="640"></naru-sandbox>
//
// The sandbox is an iframe of the page that lies beside this file. A frame has its own document,
// its own styles and its own worker, so several on one page cannot disturb each other, nor the page
// them; and a worker may be started there, which a page of another origin may not. The two sides
// speak by a MessageChannel whose port is handed to that frame and origin only.

const HOME = new URL("./", import.meta.url);
const HEIGHT = 640;

class NaruSandbox extends HTMLElement {
  static observedAttributes = ["height"];

  #frame;
  #port;
  #calls = new Map();
  #count = 0;
  #connected;

  /** Resolves when the cluster runs. */
  ready = new Promise((resolve) => { this.#connected = resolve; }).then(() => this.#call("ready"));

  connectedCallback() {
    if (this.#frame) return;
    this.style.display ||= "block";
    const frame = document.createElement("iframe");
    frame.src = this.#address();
    frame.title = this.getAttribute("title") ?? "Naru";
    frame.allow = "clipboard-read; clipboard-write";
    frame.loading = "lazy";
    frame.style.cssText = "display:block;width:100%;border:0;border-radius:12px";
    this.#frame = frame;
    this.#size();
    frame.addEventListener("load", () => this.#connect());
    this.attachShadow({ mode: "open" }).append(frame);
  }

  attributeChangedCallback() {
    this.#size();
  }

  /** Runs a command to its end, as fast as possible: `{ stdout, stderr, code }`. */
  exec(command) {
    return this.ready.then(() => this.#call("exec", String(command)));
  }

  /** Lets seconds of the cluster's time pass, as fast as possible. */
  advance(seconds) {
    return this.ready.then(() => this.#call("advance", Number(seconds)));
  }

  /** How fast time goes by itself: times as fast as real time; 0 stands still. */
  speed(factor) {
    return this.ready.then(() => this.#call("speed", Number(factor)));
  }

  #address() {
    const address = new URL("index.html", HOME);
    address.searchParams.set("embed", "1");
    for (const name of ["lesson", "lang", "theme", "speed"]) {
      const value = this.getAttribute(name);
      if (value) address.searchParams.set(name, value);
    }
    return address.href;
  }

  #size() {
    if (!this.#frame) return;
    const height = Number.parseInt(this.getAttribute("height") ?? "", 10);
    this.#frame.style.height = `${Number.isFinite(height) && height > 0 ? height : HEIGHT}px`;
  }

  #connect() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data: { id, value, error } }) => {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error === undefined) call?.resolve(value);
      else call?.reject(new Error(error));
    };
    this.#frame.contentWindow.postMessage("naru-connect", HOME.origin, [port2]);
    this.#connected();
  }

  #call(method, ...values) {
    return new Promise((resolve, reject) => {
      const id = (this.#count += 1);
      this.#calls.set(id, { resolve, reject });
      this.#port.postMessage({ id, method, values });
    });
  }
}

customElements.define("naru-sandbox", NaruSandbox);
