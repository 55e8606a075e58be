// A person's paths through the page, in headless Chromium. `cargo xtask test` serves the page and
// runs this with NARU_URL and NARU_CHROMIUM set. Screenshots are left in web/tests/output/.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { DESKTOP, PHONE, URL_OF_PAGE, clock, clockReaches, exec, frames, idle, openBrowser, openPage, photograph, pod, sees, showsOther, shownText, type, until } from "./page.mjs";
import { test } from "./patient.mjs";
import "./schema.mjs";
import "./views.mjs";

const ROOT = new URL("../../", import.meta.url);
const MANIFEST = `apiVersion: v1
kind: Pod
metadata:
  name: app-node
  labels:
    app: node
spec:
  containers:
  - name: node
    image: kim0lil/80700:v-1.0.0
    ports:
    - containerPort: 8080
---
apiVersion: v1
kind: Service
metadata:
  name: app-service
spec:
  selector:
    app: node
  ports:
  - port: 80
    targetPort: 8080`;

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

describe("the page", { concurrency: 1 }, () => {
  test("a pod is typed, seen and looked at", async () => {
    const { page, complaints, close } = await openPage(browser);
    await photograph(page, "start");
    await type(page, `cat > app.yml <<'EOF'\n${MANIFEST}\nEOF`);
    await type(page, "kubectl create -f app.yml");
    await sees(page, "pod/app-node created");
    await sees(page, "service/app-service created");
    await pod(page, "app-node").waitFor();
    await page.locator('[data-testid="pod"][data-name="app-node"][data-status="Running"]').waitFor();
    await page.locator('[data-testid="service"][data-name="app-service"]').waitFor();
    await page.locator(".wire.ready").waitFor();
    await photograph(page, "running");

    await pod(page, "app-node").click();
    await page.locator(".events li").first().waitFor();
    const details = await page.locator(".details").textContent();
    for (const reason of ["Scheduled", "Pulled", "Started"]) assert.ok(details.includes(reason), reason);
    assert.ok(details.includes("kubectl"), "the chain of causes begins with kubectl");
    await photograph(page, "inspector");
    await page.getByRole("tab", { name: "YAML" }).click();
    assert.match(await page.getByTestId("yaml").textContent(), /image: kim0lil\/80700:v-1\.0\.0/);
    assert.deepEqual(complaints, []);
    await close();
  });

  test("the terminal edits lines: history, completion, Ctrl-C, Ctrl-L, Korean", async () => {
    const { page, close } = await openPage(browser);
    await type(page, "echo 나루터");
    await sees(page, "\n나루터");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await page.waitForFunction(
      () => document.querySelector(".xterm-rows").textContent.match(/나루터/g)?.length === 4,
    );
    for (const [typed, completed] of [["kubect", "$ kubectl"], ["get nod", "kubectl get nodes"], ["control", "nodes control-plane"]]) {
      await page.keyboard.type(typed);
      await page.keyboard.press("Tab");
      await sees(page, completed);
    }
    await page.keyboard.press("Control+c");
    await sees(page, "^C");
    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", "echo pas''ted");
      const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
      document.querySelector(".xterm-helper-textarea").dispatchEvent(paste);
    });
    await page.keyboard.press("Enter");
    await sees(page, "\npasted");
    await type(page, "sleep 100000");
    await page.keyboard.press("Control+c");
    await type(page, "echo back");
    await sees(page, "\nback");
    await type(page, "exit\necho anew");
    await sees(page, "\nanew");
    await page.keyboard.press("Control+l");
    await page.waitForFunction(() => !document.querySelector(".xterm-rows").textContent.includes("back"));
    await close();
  });

  test("bad input gets the words of a real terminal, and nothing is lost", async () => {
    const { page, close } = await openPage(browser);
    for (const [command, words] of [
      ["nosuch", /nosuch: command not found/],
      ["printf 'a: [' > app.yml; kubectl create -f app.yml", /error: error parsing app\.yml: /],
      [
        "printf 'apiVersion: v1\\nkind: Pood\\nmetadata: {name: a}\\n' > app.yml; kubectl create -f app.yml",
        /no matches for kind "Pood" in version "v1"\nensure CRDs are installed first/,
      ],
    ]) {
      const { stderr, code } = await exec(page, command);
      assert.match(stderr, words);
      assert.notEqual(code, 0, command);
    }
    await exec(page, "kubectl run lost --image=no.such.host/image:1");
    await page.evaluate(() => naru.advance(60));
    await page.locator('[data-testid="pod"][data-name="lost"].broken').waitFor();
    const { stdout } = await exec(page, "kubectl describe pod lost");
    assert.match(stdout, /ErrImagePull|ImagePullBackOff/);
    await close();
  });

  test("the lesson's buttons run its commands, and its checks turn green by state", async () => {
    const { page, complaints, close } = await openPage(browser);
    await page.evaluate(() => naru.speed(10));
    const lesson = page.getByTestId("lesson");
    const steps = await lesson.locator(".step").count();
    for (let step = 0; step < steps; step += 1) {
      const open = lesson.locator(".step.open");
      assert.equal(await open.getAttribute("data-step"), String(step));
      const commands = await open.locator(".run").count();
      for (let i = 0; i < commands; i += 1) {
        const before = await shownText(page);
        await open.locator(".run").nth(i).click();
        // The prompt is still there until the terminal has taken the line.
        await showsOther(page, before);
        await idle(page);
      }
      await lesson.locator(`.step.done[data-step="${step}"]`).waitFor();
      await photograph(page, `lesson-${step + 1}`);
      if (step + 1 < steps) await open.locator(".next").click();
    }
    await lesson.locator(".lesson-done").waitFor();
    assert.deepEqual(complaints, []);

    await page.reload();
    await page.evaluate(() => naru.ready);
    assert.equal(await page.locator(".step.done").count(), steps, "progress survives a reload");
    await close();
  });

  test("a request is seen as packets, hop by hop", async () => {
    const { page, close } = await openPage(browser);
    await exec(page, `cat > app.yml <<'EOF'\n${MANIFEST}\nEOF\nkubectl create -f app.yml`);
    await page.evaluate(() => naru.advance(15));
    await page.evaluate(() => naru.speed(1));
    const curl = exec(page, "kubectl run tmp --image=curlimages/curl --restart=Never --rm -i -- curl -s http://app-service");
    await page.getByTestId("packet").waitFor();
    await photograph(page, "packet");
    const { stdout } = await curl;
    assert.match(stdout, /app-node/);
    await page.getByRole("tab", { name: "패킷" }).click();
    const request = page.locator(".packet", { hasText: "GET / HTTP/1.1" }).first();
    await request.waitFor();
    await request.locator(".packet-title").click();
    assert.match(await request.textContent(), /DNAT|KUBE-SEP/, "the rule that turned the address");
    await photograph(page, "packets");
    await close();
  });

  test("time stands still, steps, and goes fast", async () => {
    const { page, close } = await openPage(browser);
    await page.getByRole("button", { name: "멈춤" }).click();
    await page.locator(".page.paused").waitFor();
    // The worker has heard of it when it answers, and the page has drawn it after a frame.
    const digest = () => page.evaluate(() => naru.digest());
    const history = await digest();
    await frames(page, 10);
    const still = await clock(page);
    await frames(page, 30);
    assert.equal(await clock(page), still);
    assert.equal(await digest(), history);
    await page.getByRole("button", { name: "다음 사건까지" }).click();
    await until(async () => (await digest()) !== history, "something has happened");
    const before = await clock(page);
    await page.getByLabel("시간의 빠르기").selectOption({ label: "60배속" });
    await clockReaches(page, before + 20);
    const advanced = await clock(page);
    await page.evaluate(() => naru.advance(120));
    await clockReaches(page, advanced + 120);
    await close();
  });

  test("everything is reached by keyboard", async () => {
    const { page, close } = await openPage(browser);
    await exec(page, "kubectl run web --image=kim0lil/80700:v-1.0.0");
    await page.evaluate(() => naru.advance(10));
    await pod(page, "web").waitFor();
    // F6 leads from part to part, out of the terminal too.
    const regions = [];
    for (let i = 0; i < 4; i += 1) {
      await page.keyboard.press("F6");
      regions.push(await page.evaluate(() => document.activeElement.closest("[data-region]")?.dataset.region));
    }
    assert.deepEqual(regions, ["header", "lesson", "topology", "terminal"]);
    await page.keyboard.press("Shift+F6");
    for (let i = 0; i < 40; i += 1) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate(() => document.activeElement.dataset.name)) === "web") break;
    }
    const outline = await page.evaluate(() => document.activeElement.dataset);
    assert.equal(outline.name, "web");
    await page.keyboard.press("Enter");
    await page.locator(".object-head h3", { hasText: "web" }).waitFor();
    await page.keyboard.press("F6");
    await close();
  });

  test("it is Korean first, and English by choice, and remembers", async () => {
    const { page, close } = await openPage(browser);
    assert.equal(await page.getAttribute("html", "lang"), "ko");
    await page.locator(".lesson h2", { hasText: "첫 파드" }).waitFor();
    await page.getByLabel("언어").selectOption("en");
    await page.locator(".lesson h2", { hasText: "A first pod" }).waitFor();
    const korean = await page.evaluate(() => {
      const text = document.querySelector(".page").cloneNode(true);
      text.querySelectorAll("option, .xterm").forEach((it) => it.remove());
      return text.textContent.match(/[가-힣]+/g);
    });
    assert.equal(korean, null, "no Korean is left");
    await page.reload();
    await page.evaluate(() => naru.ready);
    assert.equal(await page.getAttribute("html", "lang"), "en");
    await close();
  });

  test("a worker that breaks down is told of, and another one takes its place", async () => {
    const { page, close } = await openPage(browser, { path: "widget-test.html" });
    await page.route("**/worker_bg.wasm*", (route) => route.abort(), { times: 1 });
    await page.goto(URL_OF_PAGE);
    await page.getByRole("alertdialog").waitFor();
    await photograph(page, "failure");
    await page.getByRole("alertdialog").getByRole("button", { name: "처음부터" }).click();
    await page.locator(".step.open").waitFor();
    assert.equal(await page.getByRole("alertdialog").count(), 0);
    assert.match((await exec(page, "kubectl get nodes")).stdout, /worker2/);
    await close();
  });

  for (const theme of ["light", "dark"]) {
    test(`a phone shows each part, ${theme}`, async () => {
      const { page, complaints, close } = await openPage(browser, { viewport: PHONE, theme });
      await exec(page, `cat > app.yml <<'EOF'\n${MANIFEST}\nEOF\nkubectl create -f app.yml`);
      await page.evaluate(() => naru.advance(15));
      for (const part of ["lesson", "topology", "terminal", "details"]) {
        const tab = ["lesson", "topology", "terminal", "details"].indexOf(part);
        await page.locator(".tab-bar button").nth(tab).click();
        assert.ok(await page.locator(`.${part}.panel`).isVisible(), part);
        await photograph(page, `phone-${theme}-${part}`);
      }
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(width, PHONE.width, "nothing is cut off at the side");
      assert.deepEqual(complaints, []);
      await close();
    });

    test(`a desk shows all parts, ${theme}`, async () => {
      const { page, close } = await openPage(browser, { viewport: DESKTOP, theme });
      await exec(page, `cat > app.yml <<'EOF'\n${MANIFEST}\nEOF\nkubectl create -f app.yml`);
      await page.evaluate(() => naru.advance(15));
      for (const part of ["lesson", "topology", "terminal"]) {
        assert.ok(await page.locator(`.${part}.panel`).isVisible(), part);
      }
      await photograph(page, `desk-${theme}`);
      await close();
    });
  }
});

describe("the widget", { concurrency: 1 }, () => {
  test("two on one page do not disturb each other", async () => {
    const { page, complaints, close } = await openPage(browser, { path: "widget-test.html" });
    const run = (id, command) =>
      page.evaluate(([id, command]) => {
        return document.getElementById(id).exec(command);
      }, [id, command]);
    const made = await run("one", "kubectl run only-in-one --image=kim0lil/80700:v-1.0.0");
    assert.deepEqual(made, { stdout: "pod/only-in-one created\n", stderr: "", code: 0 });
    await page.evaluate(() => document.getElementById("one").advance(20));
    const [one, two] = await Promise.all([run("one", "kubectl get pods"), run("two", "kubectl get pods")]);
    assert.match(one.stdout, /only-in-one +1\/1 +Running/);
    assert.equal(two.stderr, "No resources found in default namespace.\n");
    // Frames are listed as they were loaded, and either may be first.
    const languages = {};
    for (const frame of page.frames().slice(1)) {
      const sandbox = await (await frame.frameElement()).evaluate((it) => it.getRootNode().host.id);
      languages[sandbox] = await frame.getAttribute("html", "lang");
    }
    assert.deepEqual(languages, { one: "ko", two: "en" });
    await photograph(page, "widget");
    assert.deepEqual(complaints, []);
    await close();
  });
});

describe("determinism", { concurrency: 1 }, () => {
  test("a script leaves the same history in the page as natively", async (t) => {
    const script = new URL("tests/digest/script.sh", ROOT);
    const run = ["run", "--digest", fileURLToPath(script)];
    // The program that the native tests left is the same as cargo's own for this package alone, which
    // would have to be compiled with all that it stands on.
    const native = process.env.NARU_PROGRAM
      ? spawnSync(process.env.NARU_PROGRAM, run, { cwd: ROOT, encoding: "utf8" })
      : spawnSync("cargo", ["run", "--quiet", "--package", "naru", "--", ...run], { cwd: ROOT, encoding: "utf8" });
    assert.equal(native.status, 0, native.stderr);
    const { page, close } = await openPage(browser, { path: "?speed=0" });
    await exec(page, await readFile(script, "utf8"));
    const digest = await page.evaluate(() => naru.digest());
    t.diagnostic(`digest ${digest}`);
    assert.equal(digest, native.stderr.trim().split("\n").at(-1));
    await close();
  });
});
