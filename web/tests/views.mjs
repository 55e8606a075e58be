// Paths through each view of the page, and axe-core on all of them. Run by run.mjs.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe } from "node:test";
import { DESKTOP, PHONE, clock, exec, openBrowser, openGate, openPage, photograph, pod, sees, type, until } from "./page.mjs";
import { test } from "./patient.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

/** The tab of a view. */
const stage = (page, name) => page.locator(`#stage-${name}`).click();

/** Three replicas, all running, with time standing still. */
async function openWithWeb(options) {
  const opened = await openPage(browser, options);
  await exec(opened.page, "kubectl create deployment web --image=nginx --replicas=3; kubectl expose deployment web --port=80");
  await opened.page.evaluate(() => naru.advance(20));
  await opened.page.evaluate(() => naru.speed(0));
  await opened.page.locator('[data-testid="pod"][data-status="Running"]').nth(2).waitFor({ state: "attached" });
  return opened;
}

/** Moves the slider to a second of the cluster's time. */
async function travel(page, seconds) {
  await page.getByTestId("time-line").evaluate((slider, millis) => {
    slider.value = millis;
    slider.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }, seconds * 1000);
  await page.waitForFunction((wanted) => {
    const text = document.querySelector('[data-testid="clock"] .stopwatch').textContent;
    const now = text.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
    return Math.abs(now - wanted) < 0.2;
  }, seconds);
}

/** Waits until the browser has kept a session that has a text in it. */
async function kept(page, text) {
  const is = () => page.evaluate(async (wanted) => {
    const open = indexedDB.open("naru");
    const db = await new Promise((done) => { open.onsuccess = () => done(open.result); });
    const found = [];
    for (const name of db.objectStoreNames) {
      const all = db.transaction(name).objectStore(name).getAll();
      found.push(...await new Promise((done) => { all.onsuccess = () => done(all.result); }));
    }
    db.close();
    const decoder = new TextDecoder();
    const texts = found.flatMap((it) => [it, ...Object.values(it ?? {})]).filter((it) => it instanceof Uint8Array);
    return texts.some((it) => decoder.decode(it).includes(wanted));
  }, text);
  await until(is, `something with ${text} is kept`);
}

/** Waits until nothing moves any more but what moves for ever. */
const settled = (page) => page.evaluate(() => Promise.all(document.getAnimations()
  .filter((it) => it.effect?.getComputedTiming().iterations !== Infinity)
  .map((it) => it.finished.catch(() => {}))));

/** What axe-core finds, as text. */
async function findings(page) {
  await page.evaluate(AXE);
  // In the pictures a name may be cut by an ellipsis, and the texts of one thing stand in several
  // elements: the names for screen readers have all of it, which axe-core cannot see.
  await page.evaluate(() => globalThis.axe.configure({
    rules: [{ id: "label-content-name-mismatch", selector: "button" }],
  }));
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  return violations.map(({ id, nodes }) =>
    `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`).join(" | ")}`);
}

describe("time", { concurrency: 1 }, () => {
  test("an earlier moment comes back, and who acts there leaves a branch", async () => {
    const { page, complaints, close } = await openPage(browser, { path: "?profile=kind&speed=0" });
    const before = await clock(page);
    await page.evaluate(() => naru.advance(2));
    await type(page, "kubectl run first --image=nginx");
    await sees(page, "pod/first created");
    await page.evaluate(() => naru.advance(600));
    await pod(page, "first").waitFor();
    const end = await clock(page);

    await travel(page, before + 1);
    await pod(page, "first").waitFor({ state: "detached" });
    await page.locator(".timeline.past").waitFor();
    assert.equal(await page.locator(".xterm-rows").first().textContent().then((it) => it.includes("first")), false);
    await photograph(page, "time-past");

    for (const seconds of [500, 60, 333, 599, 200]) await travel(page, before + seconds);
    await pod(page, "first").waitFor();

    await travel(page, before + 1);
    await type(page, "kubectl run second --image=nginx");
    await sees(page, "pod/second created");
    await page.evaluate(() => naru.advance(20));
    await pod(page, "second").waitFor();
    assert.equal(await pod(page, "first").count(), 0);

    await page.getByRole("button", { name: "떠나온 갈래" }).click();
    await page.getByRole("menuitem").first().click();
    await travel(page, end - 1);
    await pod(page, "first").waitFor();
    await pod(page, "second").waitFor({ state: "detached" });
    assert.deepEqual(complaints, []);
    await close();
  });

  test("what was done survives a reload, and two tabs do not disturb each other", async () => {
    const { page, close } = await openPage(browser);
    await type(page, "kubectl run kept --image=nginx");
    await sees(page, "pod/kept created");
    await page.evaluate(() => naru.advance(10));
    // What is typed is kept letter by letter, a command in one piece, after it.
    await exec(page, ": so far");
    await kept(page, ": so far");
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.evaluate(() => window.naru.ready);
    assert.match((await exec(other, "kubectl get pods")).stderr, /No resources found/);
    await page.reload();
    await page.evaluate(() => window.naru.ready);
    await pod(page, "kept").waitFor();
    await sees(page, "pod/kept created");
    assert.match((await exec(page, "kubectl get pods")).stdout, /kept/);
    await close();
  });

  test("a session goes into a file and comes back from it", async () => {
    const { page, close } = await openPage(browser, { path: "?profile=minikube&seed=3&run=kubectl%20run%20linked%20--image%3Dnginx" });
    await sees(page, "pod/linked created");
    await page.evaluate(() => naru.advance(10));
    await page.getByRole("button", { name: "저장하고 나누기" }).click();
    const download = page.waitForEvent("download");
    await page.getByRole("menuitem", { name: /세션을 파일로/ }).click();
    const file = await (await download).path();
    await exec(page, "kubectl delete pod linked --now");
    await page.evaluate(() => naru.advance(5));
    await pod(page, "linked").waitFor({ state: "detached" });

    await page.getByRole("button", { name: "저장하고 나누기" }).click();
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("menuitem", { name: /세션 파일 열기/ }).click();
    await (await chooser).setFiles(file);
    await pod(page, "linked").waitFor();
    assert.match((await exec(page, "kubectl get nodes")).stdout, /minikube/);
    await close();
  });
});

describe("the views", { concurrency: 1 }, () => {
  test("objects: tables of kubectl, and one object closely", async () => {
    const { page, complaints, close } = await openWithWeb({});
    await stage(page, "objects");
    const table = page.getByTestId("object-table");
    await table.waitFor();
    assert.match(await table.locator("thead").textContent(), /NAME.*READY.*STATUS.*RESTARTS.*AGE/);
    assert.equal(await table.locator("tbody tr").count(), 3);
    await table.locator("tbody .link").first().click();
    await page.getByTestId("conditions").waitFor();
    await page.getByTestId("decision").getByText("TaintToleration").first().waitFor();
    await photograph(page, "objects");

    await page.getByRole("tab", { name: "변화" }).click();
    await page.getByTestId("changes").locator("ins").first().waitFor();
    assert.match(await page.getByTestId("changes").textContent(), /kube-scheduler/);
    await photograph(page, "changes");
    await page.getByRole("tab", { name: "describe" }).click();
    await page.getByTestId("spoken").getByText("Successfully assigned").waitFor();
    await page.getByRole("tab", { name: "logs" }).click();
    await page.locator(".kinds button", { hasText: "Deployment" }).click();
    await table.getByText("3/3").waitFor();
    assert.deepEqual(complaints, []);
    await close();
  });

  test("flow: a command and all that it led to, message by message", async () => {
    const { page, complaints, close } = await openWithWeb({});
    await stage(page, "flow");
    await page.locator(".story.own", { hasText: "create deployment" }).click();
    const drawing = page.getByTestId("sequence");
    await drawing.waitFor();
    const lanes = await drawing.locator(".lane .name").allTextContents();
    for (const lane of ["kubectl", "kube-apiserver", "etcd", "kube-scheduler"]) assert.ok(lanes.includes(lane), lane);
    await photograph(page, "flow");
    await drawing.locator(".message.writes").first().click();
    const details = page.getByTestId("message-details");
    await details.locator("ins").first().waitFor();
    assert.match(await details.textContent(), /deployments\/default\/web/);
    await photograph(page, "flow-message");
    const all = await drawing.locator(".message").count();
    await page.getByRole("button", { name: "차례로 보기" }).click();
    await drawing.locator(".message.latest").waitFor();
    assert.ok((await drawing.locator(".message").count()) < all);
    assert.deepEqual(complaints, []);
    await close();
  });

  test("resources: what nodes have and pods ask for", async () => {
    const { page, close } = await openPage(browser, { path: "?profile=kind&speed=0" });
    await exec(page, "kubectl create deployment web --image=nginx --replicas=2; kubectl set resources deployment web --requests=cpu=500m,memory=256Mi --limits=cpu=1");
    await page.evaluate(() => naru.advance(30));
    await stage(page, "resources");
    const cards = page.getByTestId("resources").locator(".resource-card");
    assert.equal(await cards.count(), 3);
    assert.match(await page.getByTestId("resources").textContent(), /500m|600m/);
    await photograph(page, "resources");
    await close();
  });

  test("a rollout is seen ReplicaSet by ReplicaSet", async () => {
    const { page, close } = await openWithWeb({});
    await exec(page, "kubectl set image deployment web nginx=nginx:1.27");
    await page.evaluate(() => naru.advance(3));
    await page.locator('[data-testid="workload"][aria-label^="Deployment web"]').click();
    await page.getByTestId("rollout").locator("li").nth(1).waitFor();
    assert.match(await page.getByTestId("rollout").textContent(), /nginx:1\.27/);
    await photograph(page, "rollout");
    await close();
  });

  test("very many pods are drawn on a canvas, and one is found by a click", async () => {
    const { page, complaints, close } = await openPage(browser, { path: "?profile=kind&speed=0" });
    await exec(page, "kubectl create deployment many --image=nginx --replicas=215");
    await page.evaluate(() => naru.advance(60));
    const crowd = page.locator('[data-testid="crowd"][data-pods="215"]');
    await crowd.waitFor();
    await page.locator(".legend .ready").waitFor();
    await photograph(page, "crowd");
    await page.getByRole("button", { name: "크게", exact: true }).click();
    await page.getByRole("button", { name: "모두 보기" }).click();
    const [box, zoom, width] = [await crowd.boundingBox(), ...await Promise.all(
      ["data-zoom", "data-house"].map(async (name) => Number(await crowd.getAttribute(name))))];
    // The first pod of the second house.
    await page.mouse.click(box.x + (24 + width + 13) * zoom, box.y + (12 + 24 + 7 + 6) * zoom);
    await page.locator(".object-head h3", { hasText: "many-" }).waitFor();
    await photograph(page, "crowd-chosen");
    assert.deepEqual(complaints, []);
    await close();
  });

  test("the picture is put together by namespace, owner and label", async () => {
    const { page, close } = await openWithWeb({});
    const yard = (name) => page.locator(`[data-testid="yard"][data-name="${name}"]`);
    const group = page.getByTestId("group-by");
    await group.selectOption("namespace");
    await yard("default").waitFor();
    await group.selectOption("owner");
    await yard("Deployment/web").waitFor();
    await photograph(page, "grouped");
    await group.selectOption("label/app");
    await yard("web").waitFor();
    await group.selectOption("node");
    await page.locator('[data-testid="node"][data-name="worker"]').waitFor();
    await close();
  });

  test("a bolt that is dropped on a node breaks it", async () => {
    const { page, close } = await openWithWeb({});
    const middle = async (locator) => {
      const { x, y, width, height } = await locator.boundingBox();
      return [x + width / 2, y + height / 2];
    };
    await settled(page);
    await page.getByTestId("bolt").hover();
    await page.mouse.down();
    // The roof: in the middle of the house may stand a pod, which would be hit instead.
    const roof = await middle(page.locator('[data-testid="node"][data-name="worker"] .roof'));
    await page.mouse.move(...roof, { steps: 4 });
    await page.mouse.up();
    await page.locator(".faults.broken").waitFor();
    await page.evaluate(() => naru.advance(60));
    await page.locator('[data-testid="node"][data-name="worker"].dark').waitFor();
    await close();
  });

  test("faults: a node goes off and comes back", async () => {
    const { page, close } = await openWithWeb({});
    await page.getByRole("button", { name: "고장 내기" }).click();
    await photograph(page, "faults");
    await page.getByTestId("fault-of").selectOption("node/worker");
    await page.getByRole("group", { name: "고장 내기" }).getByRole("button", { name: /^worker 전원 끄기/ }).click();
    await page.evaluate(() => naru.advance(60));
    await page.locator('[data-testid="node"][data-name="worker"].dark').waitFor();
    await photograph(page, "node-off");
    await page.getByRole("button", { name: "고장 내기" }).click();
    await page.getByRole("group", { name: "고장 내기" }).getByRole("button", { name: /^고치기/ }).click();
    await page.evaluate(() => naru.advance(60));
    await page.locator('[data-testid="node"][data-name="worker"]:not(.dark)').waitFor();
    await close();
  });

  test("faults: a pod's memory fills until it is killed, and a node's until it sends pods away", async () => {
    const { page, complaints, close } = await openPage(browser, { path: "?profile=kind&speed=0" });
    await exec(page, `kubectl run small --image=nginx --overrides='{"spec":{"containers":[{"name":"small","image":"nginx","resources":{"limits":{"memory":"64Mi"}}}]}}'`);
    await exec(page, "kubectl create deployment web --image=nginx --replicas=2");
    await page.evaluate(() => naru.advance(20));
    const palette = page.getByRole("group", { name: "고장 내기" });
    const fill = async (what) => {
      await page.getByRole("button", { name: "고장 내기" }).click();
      await page.getByTestId("fault-of").selectOption(what);
      await photograph(page, `faults-${what.split("/")[0]}`);
      await palette.getByRole("button", { name: /메모리 채우기/ }).click();
      await palette.waitFor({ state: "detached" });
    };
    await fill("pod/small");
    await page.evaluate(() => naru.advance(11));
    assert.match((await exec(page, "kubectl get pod small")).stdout, /OOMKilled|Running +1/);
    const last = await exec(page, "kubectl get pod small -o jsonpath='{.status.containerStatuses[0].lastState.terminated.reason}{.status.containerStatuses[0].state.terminated.reason}'");
    assert.equal(last.stdout, "OOMKilled");
    await fill("node/worker");
    await page.locator(".faults.broken").waitFor();
    await page.evaluate(() => naru.advance(60));
    assert.match((await exec(page, "kubectl describe node worker")).stdout, /MemoryPressure +True/);
    await page.getByRole("button", { name: "고장 내기" }).click();
    await palette.getByRole("button", { name: /^고치기: fill node\/worker/ }).click();
    await page.locator(".faults:not(.broken)").waitFor();
    assert.deepEqual(complaints, []);
    await close();
  });

  test("the editor is checked by the cluster, and applies", async () => {
    const { page, complaints, close } = await openPage(browser, { path: "?profile=kind" });
    await page.getByRole("tab", { name: "편집기" }).click();
    const content = page.locator(".cm-content");
    await content.waitFor();
    await page.getByTestId("verdict").getByText("deployment.apps/web created (server dry run)").waitFor();
    await photograph(page, "editor");
    await page.getByRole("button", { name: "필드 설명" }).click();
    await content.getByText("replicas").click();
    await page.getByTestId("explained").getByText("Number of desired pods").waitFor();
    await photograph(page, "explained");
    await page.getByRole("button", { name: "필드 설명" }).click();
    await content.click();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("replica: 2\n");
    await page.locator(".verdict.bad").waitFor();
    assert.match(await page.locator(".verdict.bad").textContent(), /unknown field|strict decoding/);
    await photograph(page, "editor-bad");
    for (let i = 0; i < 11; i += 1) await page.keyboard.press("Backspace");
    await page.getByTestId("verdict").getByText("created (server dry run)").waitFor();
    await page.getByRole("button", { name: "적용" }).click();
    await sees(page, "deployment.apps/web created");
    assert.deepEqual(complaints, []);
    await close();
  });

  test("a name in the terminal leads to its object; more terminals open", async () => {
    const { page, close } = await openPage(browser, { path: "?profile=kind" });
    await type(page, "kubectl run linked --image=nginx");
    await sees(page, "pod/linked created");
    await pod(page, "linked").waitFor();
    const row = page.locator(".xterm-rows > *", { hasText: "pod/linked created" }).first();
    const box = await row.boundingBox();
    const cell = await page.locator(".xterm-screen").first().evaluate((it) => it.getBoundingClientRect().width);
    const columns = await page.evaluate(() => document.querySelector(".xterm-rows").firstChild.textContent.length);
    await page.mouse.move(box.x + 7 * 7.8, box.y + box.height / 2, { steps: 4 });
    await page.locator(".xterm-cursor-pointer").first().waitFor();
    await page.mouse.click(box.x + 7 * 7.8, box.y + box.height / 2);
    assert.ok(cell > 0 && columns >= 0);
    await page.locator(".object-head h3", { hasText: "linked" }).waitFor();
    await page.getByRole("button", { name: "새 터미널" }).click();
    await page.getByRole("tab", { name: "터미널 2" }).waitFor();
    await page.waitForFunction(() => [...document.querySelectorAll(".terminal-host:not(.put-away) .xterm-rows > *")].some((it) => it.textContent.includes("learner@naru")));
    await close();
  });

  test("the sandbox's own commands follow the page's language", async () => {
    const { page, close } = await openPage(browser, { path: "?profile=kind&lang=en" });
    assert.match((await exec(page, "naru fault")).stdout, /nothing is broken/);
    assert.match((await exec(page, "echo $LANG")).stdout, /en_US\.UTF-8/);
    await page.getByLabel("Language").selectOption("ko");
    assert.match((await exec(page, "naru fault")).stdout, /고장 난 것이 없습니다/);
    await close();
  });

  test("all lessons are listed, and there is a playground", async () => {
    const { page, close } = await openPage(browser);
    await page.getByRole("button", { name: "수업 목록" }).click();
    await page.getByTestId("course").waitFor();
    await page.locator(".course-row").first().waitFor();
    await photograph(page, "course");
    await page.locator(".course-play").first().click();
    await page.getByTestId("playground").waitFor();
    await photograph(page, "playground");
    await page.locator(".profile", { hasText: "minikube" }).click();
    await page.waitForFunction(() => document.querySelector('[data-testid="node"][data-name="minikube"]'));
    await close();
  });
});

describe("looking into the cluster", { concurrency: 1 }, () => {
  test("etcd: keys are found from the root down, and a key tells its revisions", async () => {
    const { page, complaints, close } = await openWithWeb({});
    await stage(page, "registry");
    const registry = page.getByTestId("registry");
    await registry.getByRole("button", { name: /^pods\// }).click();
    await registry.getByRole("button", { name: /^default\// }).click();
    await registry.getByRole("button", { name: /^web-/ }).first().click();
    await registry.locator(".key-facts").waitFor();
    await registry.getByTestId("changes").getByText("kube-scheduler").first().waitFor();
    assert.match(await registry.getByTestId("yaml").textContent(), /kind: Pod/);
    await photograph(page, "registry");
    await exec(page, "kubectl delete pods --all --now; kubectl delete deployment web");
    await page.evaluate(() => naru.advance(40));
    await registry.getByText("이 키는 이제 없습니다.").waitFor();
    await registry.getByRole("button", { name: "registry/" }).click();
    await registry.getByRole("button", { name: /^pods\// }).waitFor();
    assert.deepEqual(complaints, []);
    await close();
  });

  test("rights: who may do what, and by which binding", async () => {
    const { page, complaints, close } = await openWithWeb({});
    await exec(page, `kubectl create serviceaccount robot
kubectl create role reader --verb=get,list --resource=pods
kubectl create rolebinding read --role=reader --serviceaccount=default:robot`);
    await stage(page, "rights");
    const rights = page.getByTestId("rights");
    await rights.waitFor();
    await page.getByTestId("rights-who").selectOption({ label: "default/robot" });
    await rights.getByRole("button", { name: "get pods: 허용" }).click();
    const why = page.getByTestId("rights-why");
    await why.getByText("RoleBinding default/read").waitFor();
    await why.getByText("Role default/reader").waitFor();
    await photograph(page, "rights");
    await rights.getByRole("button", { name: "delete pods: 거부" }).click();
    await why.getByText("이것을 허용하는 바인딩이 없습니다").waitFor();
    const command = (await why.locator("code").textContent()).slice(2);
    assert.match((await exec(page, command)).stdout, /^no/);
    await page.getByTestId("rights-where").selectOption("kube-system");
    await rights.getByRole("button", { name: "get pods: 거부" }).waitFor();
    assert.deepEqual(complaints, []);
    await close();
  });

  test("iptables: from a service to its pods, with the share of each", async () => {
    const { page, complaints, close } = await openWithWeb({});
    await page.locator('[data-testid="service"][data-name="web"]').click();
    await page.getByTestId("to-rules").click();
    const rules = page.getByTestId("rules");
    const chain = (start) => rules.locator(`[data-testid="chain"][aria-label^="${start}"]`);
    await chain("KUBE-SVC-").waitFor();
    assert.equal(await chain("KUBE-SEP-").count(), 3);
    assert.deepEqual(await chain("KUBE-SVC-").locator(".share").allTextContents(), ["33%", "33%", "33%"]);
    await chain("KUBE-SEP-").first().locator(".rule", { hasText: "DNAT" }).click();
    await page.getByTestId("rule-text").getByText("--to-destination").waitFor();
    await photograph(page, "rules");
    await page.getByTestId("rules-node").selectOption("worker2");
    await chain("KUBE-SVC-").waitFor();
    await exec(page, "kubectl scale deployment web --replicas=0");
    await page.evaluate(() => naru.advance(40));
    await rules.locator(".rule.bad", { hasText: "REJECT" }).waitFor();
    assert.deepEqual(complaints, []);
    await close();
  });

  test("what nodes and pods use is measured as time goes on", async () => {
    const { page, close } = await openWithWeb({});
    await stage(page, "resources");
    await page.getByTestId("resources").waitFor();
    await page.evaluate(() => naru.advance(10));
    await page.evaluate(() => naru.advance(10));
    await page.getByTestId("use").first().waitFor();
    await page.locator(".busiest tbody tr").first().waitFor();
    await photograph(page, "usage");
    await close();
  });

  test("a rollout and an autoscaler are drawn over time, and conditions too", async () => {
    const { page, complaints, close } = await openWithWeb({});
    await exec(page, "kubectl set image deployment web nginx=nginx:1.27; kubectl autoscale deployment web --cpu-percent=50 --min=2 --max=5");
    await page.locator('[data-testid="workload"][aria-label^="Deployment web"]').click();
    await page.evaluate(() => naru.advance(30));
    const chart = page.getByTestId("chart");
    await chart.locator(".chart-legend li").nth(3).waitFor();
    await page.getByTestId("condition-lines").locator("li.true").first().waitFor();
    await photograph(page, "rollout-chart");
    await stage(page, "objects");
    await page.locator(".kinds button", { hasText: "HorizontalPodAutoscaler" }).click();
    await page.getByTestId("object-table").locator(".link", { hasText: "web" }).first().click();
    await page.locator(".object-head .kind", { hasText: "HorizontalPodAutoscaler" }).waitFor();
    await chart.first().getByText("currentReplicas 3").waitFor();
    await photograph(page, "autoscaler");
    assert.deepEqual(complaints, []);
    await close();
  });

  test("time runs until a condition, and tells when it does not come about", async () => {
    const { page, complaints, close } = await openPage(browser, { path: "?profile=kind&speed=0" });
    await exec(page, "kubectl create deployment web --image=nginx --replicas=2");
    await page.locator('[data-testid="workload"][data-name="web"]').waitFor();
    const open = page.getByRole("button", { name: "조건이 될 때까지 진행" });
    await open.click();
    await photograph(page, "until");
    await page.getByRole("button", { name: /^deployment\/web: 준비될 때까지/ }).click();
    await page.getByTestId("waited").getByText("조건이 되어 시간을 멈췄습니다").waitFor();
    assert.match((await exec(page, "kubectl get deployment web")).stdout, /2\/2/);
    await open.click();
    await page.locator(".until-list input").fill("pod/none --for=condition=Ready");
    await page.locator(".until-list .run").click();
    await page.getByTestId("waited").getByText('pods "none" not found').waitFor();
    await photograph(page, "until-missed");
    assert.deepEqual(complaints, []);
    await close();
  });
});

describe("writing and learning", { concurrency: 1 }, () => {
  test("the editor completes fields and explains them", async () => {
    const { page, complaints, close } = await openPage(browser, { path: "?profile=kind" });
    await page.getByRole("tab", { name: "편집기" }).click();
    const content = page.locator(".cm-content");
    await page.getByTestId("verdict").waitFor();
    await content.click();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("        imagePull");
    const offered = page.locator(".cm-tooltip-autocomplete");
    await offered.getByText("imagePullPolicy").waitFor();
    await photograph(page, "completion");
    await page.keyboard.press("Escape");
    await content.getByText("replicas").hover();
    await page.locator(".cm-field-meaning", { hasText: "Number of desired pods" }).waitFor();
    await photograph(page, "field-meaning");
    await page.keyboard.type("Polcy: Always");
    await page.locator(".cm-lintRange-error", { hasText: "imagePullPolcy" }).waitFor();
    assert.deepEqual(complaints, []);
    await close();
  });

  test("terminals stand beside one another", async () => {
    const { page, close } = await openPage(browser, { path: "?profile=kind" });
    await page.getByRole("button", { name: "나란히 보기", exact: true }).click();
    const beside = page.locator(".terminal-host.beside");
    await beside.locator(".xterm-rows", { hasText: "learner@naru" }).waitFor();
    await beside.locator(".xterm-helper-textarea").focus();
    await page.keyboard.type("kubectl get nodes -w\n");
    await beside.locator(".xterm-rows", { hasText: "control-plane" }).waitFor();
    await page.locator(".split-beside").focus();
    const before = (await beside.boundingBox()).width;
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction((width) => document.querySelector(".terminal-host.beside").getBoundingClientRect().width > width, before);
    await photograph(page, "split");
    // Up to four, each as wide as one likes.
    for (const place of [1, 2]) {
      await page.getByRole("button", { name: "나란히 보기", exact: true }).click();
      await page.locator(`.terminal-host.beside.at-${place} .xterm-rows`, { hasText: "learner@naru" }).waitFor();
    }
    assert.equal(await page.getByRole("button", { name: "나란히 보기", exact: true }).count(), 0);
    const places = await Promise.all([".terminal-host:not(.put-away, .beside)", ".beside.at-0", ".beside.at-1", ".beside.at-2"]
      .map(async (it) => (await page.locator(it).boundingBox()).x));
    assert.deepEqual(places, [...places].sort((a, b) => a - b), "they stand in their order");
    await photograph(page, "split-four");
    for (let left = 2; left >= 0; left -= 1) {
      await page.getByRole("button", { name: "나란히 보기 닫기" }).click();
      await page.locator(`.terminal-host.at-${left}`).waitFor({ state: "detached" });
    }
    await close();
  });

  test("a step shows what it leads to, and words are explained where they are first used", async () => {
    const { page, complaints, close } = await openPage(browser, { path: "?lesson=first&speed=0" });
    const lesson = page.getByTestId("lesson");
    await lesson.locator(".term").first().waitFor();
    await lesson.locator(".term").first().focus();
    await page.getByRole("tooltip").waitFor();
    await photograph(page, "term");
    await page.keyboard.press("Escape");
    await page.getByRole("tooltip").waitFor({ state: "detached" });
    await lesson.locator(".step-title").nth(1).click();
    await page.getByRole("button", { name: "이 단계의 목표" }).click();
    await page.getByTestId("goal").locator("svg").waitFor();
    await photograph(page, "goal");
    assert.deepEqual(complaints, []);
    await close();
  });

  test("a step can be begun anew after a reload too", async () => {
    const { page, close } = await openPage(browser);
    await page.locator(".step-end .reset").waitFor();
    await exec(page, "kubectl run left --image=nginx");
    await pod(page, "left").waitFor();
    await kept(page, "left");
    await page.reload();
    await page.evaluate(() => window.naru.ready);
    await pod(page, "left").waitFor();
    await page.locator(".step-end .reset").click();
    await pod(page, "left").waitFor({ state: "detached" });
    await close();
  });

  test("a lesson is written, played through, started and taken home", async () => {
    const { page, complaints, close } = await openPage(browser);
    await page.getByRole("button", { name: "수업 목록" }).click();
    await page.getByRole("button", { name: /수업 쓰기/ }).click();
    const author = page.getByTestId("author");
    await author.getByTestId("preview").getByText("파드를 띄웁니다").waitFor();
    await author.getByText("고칠 것이 없습니다.").waitFor();
    await author.locator(".cm-content").getByText("minutes").click();
    await page.keyboard.press("End");
    await page.keyboard.type("0");
    await author.getByTestId("problems").getByText("5 to 15 minutes").waitFor();
    await photograph(page, "author-bad");
    await page.keyboard.press("Backspace");
    await author.getByText("고칠 것이 없습니다.").waitFor();
    // It can be given up, and the cluster is there for other things meanwhile.
    await author.getByRole("button", { name: "처음부터 끝까지 해 보기" }).click();
    await author.getByRole("button", { name: "그만두기" }).click();
    await author.getByText("고칠 것이 없습니다.").waitFor();
    await author.getByRole("button", { name: "처음부터 끝까지 해 보기" }).click();
    await author.getByText("모든 단계를 해 보았습니다").waitFor();
    await author.getByTestId("ran").first().click();
    await author.getByText("pod/web created").waitFor();
    await photograph(page, "author");
    const download = page.waitForEvent("download");
    await author.getByRole("button", { name: /폴더 내려받기/ }).click();
    const file = await (await download).path();
    const zip = await readFile(file, "latin1");
    assert.ok(zip.startsWith("PK") && zip.includes("0101-my-lesson/lesson.yaml"));
    await author.getByRole("button", { name: "이 수업 시작" }).click();
    await page.locator(".lesson h2", { hasText: "첫 수업" }).waitFor();
    await page.locator(".run").first().click();
    await page.locator(".check.holds").waitFor();
    assert.deepEqual(complaints, []);
    await close();
  });
});

describe("for everybody", { concurrency: 1 }, () => {
  for (const [viewport, size] of [[DESKTOP, "desk"], [PHONE, "phone"]]) {
    for (const theme of ["light", "dark"]) {
      test(`axe-core finds nothing on any view: ${size}, ${theme}`, async () => {
        const { page, close } = await openWithWeb({ viewport, theme, path: `?lang=${theme === "dark" ? "en" : "ko"}&lesson=first` });
        const found = [];
        const look = async (name) => {
          await settled(page);
          for (const finding of await findings(page)) found.push(`${name}: ${finding}`);
          await photograph(page, `axe-${size}-${theme}-${name}`);
        };
        const pane = async (number) => {
          if (size === "phone") await page.locator(".tab-bar button").nth(number).click();
        };
        await look("lesson");
        await pane(1);
        for (const view of ["picture", "objects", "flow", "packets", "resources", "registry", "rights", "rules"]) {
          await stage(page, view);
          await look(view);
        }
        await stage(page, "picture");
        await pod(page, await page.getByTestId("pod").first().getAttribute("data-name")).click();
        await page.locator(".object-head").waitFor();
        for (const [number, name] of ["overview", "yaml", "changes", "describe", "logs"].entries()) {
          await page.locator('.details [role="tab"]').nth(number).click();
          await look(name);
        }
        await pane(2);
        await page.locator('.terminal [role="tab"]').last().click();
        await page.locator(".cm-content").waitFor();
        await look("editor");
        await pane(0);
        await page.locator(".lesson-bar button").click();
        await look("course");
        await page.locator(".course-play").nth(1).click();
        await page.getByTestId("preview").waitFor();
        await look("author");
        await page.getByTestId("author").locator(".bar .tool").last().click();
        await pane(0);
        await page.locator(".lesson-bar button").click();
        await page.locator(".course-play").first().click();
        await page.getByTestId("playground").waitFor();
        await look("playground");
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.equal(width, viewport.width, "nothing is cut off at the side");
        assert.equal(found.join("\n"), "");
        await close();
      });
    }
  }

  test("the page opens without a network after the first visit", async () => {
    // The browser can be told that it is offline, but its service workers do not hear of that.
    const network = await openGate();
    const { page, complaints, close } = await openPage(browser, { url: network.url, path: "?profile=kind" });
    await page.evaluate(() => window.naru.kept);
    await network.close();
    await page.goto(page.url());
    await page.evaluate(() => window.naru.ready);
    assert.match((await exec(page, "kubectl get nodes")).stdout, /worker2/);
    // It knows what it is, and asks for nothing that it cannot get.
    assert.ok(await page.evaluate(() => "kept" in document.documentElement.dataset));
    assert.deepEqual(complaints, []);
    await close();
  });

  test("nothing moves for who wants no motion, and a lesson can be printed", async () => {
    const { page, close } = await openPage(browser, { path: "?lesson=first" });
    await page.emulateMedia({ reducedMotion: "reduce" });
    const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((it) => getComputedStyle(it).animationName !== "none").length);
    assert.equal(moving, 0);
    await page.emulateMedia({ media: "print" });
    assert.ok(await page.locator(".lesson").isVisible());
    assert.ok(!(await page.getByTestId("terminal").isVisible()));
    await photograph(page, "print");
    await close();
  });
});
