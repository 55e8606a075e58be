// The npm package, used as others would use it: packed from the built site, installed into an empty
// folder without a network, typed, run in Node, and put into pages of other people. `cargo xtask test`
// runs it with NARU_DIST and NARU_CHROMIUM set.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import "./documents.mjs";
import { serve } from "./files.mjs";
import { openBrowser, photograph } from "./page.mjs";
import { test } from "./patient.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const DIST = process.env.NARU_DIST ?? path("../../dist");
const EXAMPLES = path("../../docs/examples");
/** Everything of the package but its lessons and what has a hash in its name. */
const FILES = [
  "LICENSE", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "bin/naru-site.mjs", "documents.js", "element.d.ts", "host.js",
  "index.d.ts", "index.js", "package.json", "site/beside.js", "site/boot.js", "site/codemirror.js", "site/embed.html", "site/halves.js", "site/index.html", "site/naru-sandbox.js",
  "site/offline.json", "site/openapi.json", "site/page_rest.wasm", "site/sw.js", "site/worker-start.js", "site/worker.js", "site/worker_bg.wasm",
  "site/worker_rest.wasm", "site/xterm.js",
];
const HASHED = /^site\/((page|naru|style)(-[0-9a-f]+)?(_bg)?\.(js|wasm|svg|css)|snippets\/naru-web-[0-9a-f]+\/js\/\w+\.js)$/;

let folder;
let app;
let browser;

const run = (command, args, options = {}) => {
  const done = spawnSync(command, args, { encoding: "utf8", ...options });
  assert.equal(done.status, 0, `${command} ${args.join(" ")}\n${done.stdout}${done.stderr}${done.error ?? ""}`);
  return done.stdout;
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "naru-npm-"));
  app = join(folder, "app");
  await mkdir(app);
  console.log(run("node", [path("../npm/pack.mjs"), DIST, join(folder, "out"), "1.2.3"]));
  await writeFile(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", join(folder, "out/naru-1.2.3.tgz")], { cwd: app });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

describe("the npm package", { concurrency: 1, timeout: 600_000 }, () => {
  test("it has what it needs and nothing else", async () => {
    const found = (await readdir(join(app, "node_modules/naru"), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(join(app, "node_modules/naru/").length));
    const lessons = found.filter((file) => file.startsWith("site/lessons/"));
    assert.ok(lessons.filter((file) => file.endsWith("/lesson.yaml")).length > 10);
    const plain = found.filter((file) => !lessons.includes(file) && !HASHED.test(file)).sort();
    // A page that was built in a hurry has its worker in one piece.
    assert.deepEqual(plain, FILES.filter((file) => plain.includes(file) || !file.endsWith("_rest.wasm")));
    for (const name of [/\/page[^/]*\.js$/, /\/page[^/]*_bg\.wasm$/, /\/style[^/]*\.css$/, /\/snippets\//]) {
      assert.ok(found.some((file) => HASHED.test(file) && name.test(file)), name);
    }
    const { version, dependencies } = JSON.parse(await readFile(join(app, "node_modules/naru/package.json"), "utf8"));
    assert.equal(version, "1.2.3");
    assert.equal(dependencies, undefined);
  });

  test("its types are those of what it does", async () => {
    await cp(path("npm-types.ts"), join(app, "types.ts"));
    const tsc = path("../node_modules/typescript/bin/tsc");
    const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,dom.asynciterable",
      "--module", "nodenext"];
    run("node", [tsc, ...options, "types.ts"], { cwd: app });
    // What is declared is there, and what is there is declared.
    for (const [file, source, name] of [["index", "index.js", "Cluster"], ["element", "site/naru-sandbox.js", "NaruSandbox"]]) {
      const declared = await readFile(join(app, `node_modules/naru/${file}.d.ts`), "utf8");
      const body = declared.slice(declared.indexOf(`class ${name} `)).split("\n}")[0];
      const methods = [...body.matchAll(/^ {2}(?:static )?(\w+)(?:<[^(]*>)?\(/gm)].map(([, method]) => method).filter((it) => it !== "constructor");
      assert.ok(methods.length > 10, file);
      const text = await readFile(source.startsWith("site") ? path("../widget/naru-sandbox.js") : join(app, "node_modules/naru", source), "utf8");
      const defined = [...text.slice(text.indexOf(`class ${name} `)).split("\n}\n")[0].matchAll(/^ {2}(?:static |async )*(\w+)\(.*\) \{$/gm)].map(([, method]) => method);
      const own = defined.filter((it) => !["constructor", "connectedCallback", "disconnectedCallback", "attributeChangedCallback"].includes(it));
      assert.deepEqual(own.sort(), [...new Set(methods)].sort(), file);
    }
  });

  test("a cluster runs in Node: commands, time, objects, watches, events, snapshots", async () => {
    await cp(path("npm-node.mjs"), join(app, "node.mjs"));
    console.log(run("node", ["node.mjs"], { cwd: app }));
  });

  test("a page of somebody else has three sandboxes, under a strict policy", async () => {
    const site = join(folder, "plain");
    await cp(join(EXAMPLES, "plain"), site, { recursive: true });
    run("npx", ["--offline", "naru-site", join(site, "naru")], { cwd: app });
    const policy = await policies();
    // As hosts of static files have it.
    const server = await serve(site, (path) => ({ "Cache-Control": "max-age=600", ...policy(path) }));
    const page = await open(server);
    const complaints = listen(page);
    await page.goto(server.url);
    assert.equal(await page.locator("naru-sandbox").evaluateAll((all) => all.filter((it) => it.started).length < all.length), true, "who is far off waits");
    await lessonWorks(page);
    await terminalWorks(page);
    await pictureWorks(page);
    await photograph(page, "embedded-plain");
    // Three frames, one download: each file of wasm was asked for once.
    const asked = (name) => server.requests.filter((it) => name.test(it)).length;
    assert.equal(asked(/worker_bg\.wasm$/), 1);
    assert.ok(asked(/worker_rest\.wasm$/) <= 1);
    assert.deepEqual(complaints, []);
    await page.context().close();
    await server.close();
  });

  test("five that start at once are one download", async () => {
    const five = ["kind", "minikube", "gke"].map((profile) => `profile="${profile}"`)
      .concat('lesson="0101-first-pod"', 'profile="kind" commands="kubectl create deployment web --image=nginx"');
    const { page, server } = await openPlain(five.map((it) => `<naru-sandbox ${it} start="load" height="300"></naru-sandbox>`).join("\n"));
    const nodes = await page.evaluate(() => Promise.all([...document.querySelectorAll("naru-sandbox")].map(async (it) => {
      await it.ready;
      return (await it.exec("kubectl get nodes --no-headers | wc -l")).stdout.trim();
    })));
    assert.deepEqual(nodes, ["3", "1", "3", "3", "3"]);
    const wasm = server.requests.filter((it) => it.endsWith(".wasm")).sort();
    assert.deepEqual(wasm, [...new Set(wasm)], "none is asked for twice");
    // One that was the first is gone, and a new one comes.
    await page.evaluate(async () => {
      const [first] = document.querySelectorAll("naru-sandbox");
      first.remove();
      document.querySelector("main").append(first);
      await first.ready;
    });
    assert.deepEqual(server.requests.filter((it) => it.endsWith(".wasm")).sort(), wasm);
    await page.context().close();
    await server.close();
  });

  test("styles stay on their side, the keyboard gets in and out, and a screen reader is told a name", async () => {
    const { page, server } = await openPlain(`<style>iframe { border: 9px solid red !important; } * { color: red; }</style>
      <button id="before">before</button>
      <naru-sandbox id="it" profile="kind" show="terminal" start="click" height="400" lang="en">
        <p>Needs a browser.</p>
      </naru-sandbox>
      <button id="after">after</button>`);
    const it = page.locator("#it");
    await it.getByRole("button", { name: "Start" }).waitFor();
    assert.ok(await it.getByText("Needs a browser.").isVisible(), "what stands inside is seen until it is started");
    assert.equal(await it.evaluate((sandbox) => sandbox.started), false);
    await page.locator("#before").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await it.evaluate((sandbox) => sandbox.ready);
    assert.equal(await it.getByText("Needs a browser.").isVisible(), false);
    const frame = it.locator("iframe");
    assert.equal(await frame.getAttribute("title"), "Naru: Kubernetes in the browser");
    assert.equal(await frame.evaluate((element) => getComputedStyle(element).borderTopWidth), "0px");
    // By the way around it.
    await page.locator("#before").focus();
    await page.keyboard.press("Tab");
    const skip = it.getByRole("button", { name: "Skip the sandbox" });
    assert.ok(await skip.evaluate((button) => button.getRootNode().activeElement === button));
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "after");
    // And out of the terminal, which keeps Tab for itself, by F6.
    await page.frameLocator("#it iframe").locator(".xterm-helper-textarea").focus();
    await page.keyboard.press("F6");
    await page.waitForFunction(() => document.activeElement.id === "it" && document.activeElement.shadowRoot.activeElement.dataset.edge === "end");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "after");
    await page.context().close();
    await server.close();
  });

  test("scripts can do what the documentation says", async () => {
    const { page, server } = await openPlain(`<naru-sandbox id="it" lesson="0101-first-pod" step="1" start="load" height="500" speed="0" theme="light"></naru-sandbox>`);
    const told = await page.evaluate(async () => {
      const sandbox = document.getElementById("it");
      const heard = [];
      for (const event of ["step", "event"]) sandbox.on(event, (detail) => heard.push([event, detail]));
      await sandbox.ready;
      await sandbox.write("note.txt", "나루");
      const note = new TextDecoder().decode(await sandbox.read("note.txt"));
      const applied = await sandbox.apply("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: b\n");
      const map = await sandbox.get("configmap", "settings");
      const session = await sandbox.snapshot();
      await sandbox.exec("kubectl delete configmap settings");
      const missing = await sandbox.get("configmap", "settings").catch((error) => error.message);
      await sandbox.restore(session);
      const again = await sandbox.get("configmap", "settings");
      await sandbox.fault("stop node/worker");
      await sandbox.step(0);
      await sandbox.type("echo typed");
      await sandbox.advance(1);
      sandbox.setAttribute("theme", "dark");
      sandbox.setAttribute("lang", "en");
      return { note, applied, data: map.data, missing, again: again.data, heard };
    });
    assert.equal(told.note, "나루");
    assert.equal(told.applied.stdout, "configmap/settings created\n");
    assert.deepEqual([told.data, told.again], [{ a: "b" }, { a: "b" }]);
    assert.match(told.missing, /configmaps "settings" not found/);
    assert.ok(told.heard.some(([event, { kind, text }]) => event === "event" && kind === "fault" && text === "stop node/worker"));
    assert.ok(told.heard.some(([event, { step, done }]) => event === "step" && step === 0 && !done));
    const inside = page.frameLocator("#it iframe");
    await inside.locator('html[data-theme="dark"][lang="en"]').waitFor();
    await inside.locator(".xterm-rows", { hasText: "typed" }).waitFor();
    await page.context().close();
    await server.close();
  });

  test("a sandbox that was kept starts without a network", async () => {
    const { page, server } = await openPlain(`<naru-sandbox id="it" profile="kind" start="load" offline height="400"></naru-sandbox>`);
    await page.evaluate(() => document.getElementById("it").kept);
    await page.context().setOffline(true);
    const nodes = await page.evaluate(async () => {
      const sandbox = document.getElementById("it");
      sandbox.remove();
      document.querySelector("main").append(sandbox);
      return (await sandbox.exec("kubectl get nodes")).stdout;
    });
    assert.match(nodes, /worker2/);
    await page.context().close();
    await server.close();
  });

  test("a cluster without a page runs in a browser", async () => {
    const { page, server } = await openPlain("", await policies("headless"));
    const told = await page.evaluate(async () => {
      const { Cluster } = await import("/node_modules/naru/index.js");
      const clusters = await Promise.all([Cluster.start({ seed: 7 }), Cluster.start({ seed: 7 })]);
      const digests = await Promise.all(clusters.map(async (cluster) => {
        await cluster.exec("kubectl run web --image=nginx");
        await cluster.advance(20);
        return cluster.digest();
      }));
      const explained = await clusters[0].exec("kubectl explain pod.spec.nodeName");
      await Promise.all(clusters.map((cluster) => cluster.close()));
      return { digests, explained };
    });
    assert.equal(told.digests[0], told.digests[1]);
    assert.match(told.explained.stdout, /FIELD: nodeName <string>/);
    await page.context().close();
    await server.close();
  });
});

describe("documentation sites", { concurrency: 1 }, () => {
  test("mdBook: the pages have the elements of the plain page", async () => {
    const plain = elements(await readFile(join(EXAMPLES, "plain/index.html"), "utf8"));
    assert.equal(plain.length, 3);
    assert.deepEqual(elements(await readFile(join(EXAMPLES, "mdbook/src/index.md"), "utf8")), plain);
    assert.match(await readFile(join(EXAMPLES, "mdbook/theme/head.hbs"), "utf8"), /<script type="module" src="\{\{ path_to_root \}\}naru\/naru-sandbox\.js"><\/script>/);
    for (const copy of ["mdbook/src", "hugo/static", "docusaurus/static"]) {
      assert.equal(await readFile(join(EXAMPLES, copy, "web.yaml"), "utf8"), await readFile(join(EXAMPLES, "plain/web.yaml"), "utf8"), copy);
    }
  });

  test("Docusaurus: the component renders the elements of the plain page", async () => {
    const plain = elements(await readFile(join(EXAMPLES, "plain/index.html"), "utf8")).map(attributes);
    const page = await readFile(join(EXAMPLES, "docusaurus/docs/index.mdx"), "utf8");
    const used = [...page.matchAll(/<Naru [^>]*\/>/g)].map(([use]) => use);
    const rendered = await render(used);
    assert.deepEqual(rendered.map((it, index) => Object.fromEntries(Object.keys(plain[index]).map((name) => [name, it[name]]))), plain);
    // What the page does not say is the site's.
    assert.deepEqual([rendered[2].theme, rendered[2].lang], ["dark", "en"]);
  });

  test("Hugo: the site is built and opened, where there is a hugo", async (t) => {
    const shortcode = await readFile(join(EXAMPLES, "hugo/layouts/shortcodes/naru.html"), "utf8");
    assert.match(shortcode, /range \$name, \$value := \.Params/);
    const plain = elements(await readFile(join(EXAMPLES, "plain/index.html"), "utf8")).map(attributes);
    const page = await readFile(join(EXAMPLES, "hugo/content/_index.md"), "utf8");
    assert.deepEqual([...page.matchAll(/\{\{< naru ([^>]*) >\}\}/g)].map(([, words]) => attributes(words)), plain);
    const hugo = process.env.NARU_HUGO ?? "hugo";
    if (spawnSync(hugo, ["version"]).status !== 0) return t.skip("hugo is not here: read as text only");
    const site = join(folder, "hugo");
    await cp(join(EXAMPLES, "hugo"), site, { recursive: true });
    run("npx", ["--offline", "naru-site", join(site, "static/naru")], { cwd: app });
    run(hugo, ["--quiet"], { cwd: site });
    const built = await readFile(join(site, "public/index.html"), "utf8");
    assert.deepEqual(elements(built).map(attributes), plain);
    await openBuilt(join(site, "public"), "embedded-hugo");
  });

  test("Docusaurus: the site is built and opened, where it is installed", async (t) => {
    const site = process.env.NARU_DOCUSAURUS;
    if (!site) return t.skip("NARU_DOCUSAURUS names no folder with its node_modules: rendered only");
    await cp(join(EXAMPLES, "docusaurus"), site, { recursive: true });
    run("npx", ["--offline", "naru-site", join(site, "static/naru")], { cwd: app });
    run("npx", ["docusaurus", "build"], { cwd: site, env: { ...process.env, DOCUSAURUS_NO_PERSISTENT_CACHE: "1" } });
    await openBuilt(join(site, "build"), "embedded-docusaurus");
  });
});

/** What the documentation says of policies, by path: for pages with the element, and for the site. */
async function policies(kind = "element") {
  const text = await readFile(path("../../docs/embedding.md"), "utf8");
  const [element, site, headless] = [...text.matchAll(/^Content-Security-Policy: (.*)$/gm)].map(([, policy]) => policy);
  const own = kind === "headless" ? headless : element;
  return (at) => ({ "Content-Security-Policy": at.startsWith("/naru/") ? site : own });
}

async function open(server) {
  const context = await browser.newContext({ viewport: { width: 1024, height: 800 }, locale: "ko-KR" });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.server = server;
  return page;
}

function listen(page) {
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  return complaints;
}

/** A page with this in it, the package beside it and the site in `naru/`. */
async function openPlain(body, headers) {
  const site = await mkdtemp(join(folder, "page-"));
  await mkdir(join(site, "node_modules"));
  await cp(join(app, "node_modules/naru"), join(site, "node_modules/naru"), { recursive: true });
  run("npx", ["--offline", "naru-site", join(site, "naru")], { cwd: app });
  await writeFile(join(site, "index.html"), `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>page</title>
    <link rel="icon" href="data:,"><script type="module" src="naru/naru-sandbox.js"></script></head><body><main>${body}</main></body></html>`);
  const server = await serve(site, headers);
  const page = await open(server);
  await page.goto(server.url);
  return { page, server };
}

async function lessonWorks(page) {
  const lesson = page.locator("#lesson");
  await lesson.scrollIntoViewIfNeeded();
  await lesson.evaluate((it) => it.ready);
  const inside = page.frameLocator("#lesson iframe");
  await inside.locator(".lesson h2", { hasText: "첫 파드" }).waitFor();
  await inside.locator('html[data-theme="light"]').waitFor();
}

async function terminalWorks(page) {
  const terminal = page.locator("#terminal");
  await terminal.scrollIntoViewIfNeeded();
  await terminal.evaluate((it) => it.ready);
  const rows = page.frameLocator("#terminal iframe").locator(".xterm-rows");
  await rows.getByText(/minikube +Ready/).waitFor();
  assert.equal(await page.frameLocator("#terminal iframe").locator(".topology").isVisible(), false);
  const button = page.locator("[data-naru-run]");
  if (await button.count() > 0) {
    await button.evaluate((it) => { it.dataset.naruFor = "terminal"; });
    await button.click();
    await rows.getByText(/kube-apiserver-minikube/).waitFor();
  }
}

async function pictureWorks(page) {
  const picture = page.locator("#picture");
  await picture.scrollIntoViewIfNeeded();
  await picture.evaluate((it) => it.ready);
  const inside = page.frameLocator("#picture iframe");
  await inside.locator('[data-testid="pod"][data-status="Running"]').nth(2).waitFor();
  assert.equal(await inside.locator(".terminal.panel").isVisible(), false);
}

/** Opens a site that a generator has built, and looks whether its three sandboxes work. */
async function openBuilt(site, name) {
  const server = await serve(site);
  const page = await open(server);
  await page.goto(server.url);
  await lessonWorks(page);
  await terminalWorks(page);
  await pictureWorks(page);
  await photograph(page, name);
  await page.context().close();
  await server.close();
}

/** The elements in a text. */
const elements = (text) => [...text.matchAll(/<naru-sandbox[^>]*>/g)].map(([element]) => element);

/** The attributes of an element. */
const attributes = (text) => Object.fromEntries([...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));

/** Renders uses of Docusaurus' component with as much of React and Docusaurus as it needs. */
async function render(used) {
  const stubs = {
    react: "export const useEffect = () => {};",
    "@docusaurus/useBaseUrl": "export default (it) => it;",
    "@docusaurus/useDocusaurusContext": 'export default () => ({ i18n: { currentLocale: "en" } });',
    "@docusaurus/theme-common": 'export const useColorMode = () => ({ colorMode: "dark" });',
  };
  const { outputFiles } = await build({
    stdin: {
      contents: `import Naru from "${join(EXAMPLES, "docusaurus/src/components/Naru.jsx")}";\nexport default [${used.join(",")}];`,
      loader: "jsx", resolveDir: EXAMPLES,
    },
    bundle: true, format: "esm", write: false, jsxFactory: "make", jsx: "transform",
    banner: { js: "const make = (type, properties) => (typeof type === 'function' ? type(properties ?? {}) : properties);" },
    plugins: [{
      name: "stubs",
      setup(it) {
        it.onResolve({ filter: /^(react|@docusaurus\/.*)$/ }, (args) => ({ path: args.path, namespace: "stub" }));
        it.onLoad({ filter: /.*/, namespace: "stub" }, (args) => ({ contents: stubs[args.path] }));
      },
    }],
  });
  return (await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`)).default;
}
