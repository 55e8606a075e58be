// Run by npm.mjs in a folder where the package is installed.
import assert from "node:assert/strict";
import { Cluster } from "naru";

const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: nginx, image: nginx}]
`;

const cluster = await Cluster.start({ profile: "kind", seed: 3 });
const changes = [];
const events = [];
const stopChanges = cluster.on("change", (change) => changes.push(change));
cluster.on("event", ({ object }) => events.push(object.reason));
let seconds = 0;
cluster.on("time", (time) => { seconds = time.seconds; });

const watch = cluster.watch("pods", { selector: "app=web" });
assert.deepEqual(await cluster.apply(WEB), { stdout: "deployment.apps/web created\n", stderr: "", code: 0 });
const before = await cluster.now();
const after = await cluster.advance(30);
assert.ok(Math.abs(after - before - 30) < 0.001, `${before} ${after}`);
assert.ok(seconds >= after - 1, "time was told");

const { items } = await cluster.get("pods", { selector: "app=web" });
assert.deepEqual(items.map(({ status }) => status.phase), ["Running", "Running"]);
assert.ok(changes.some(({ actor, verb, subject }) => verb === "create" && subject.startsWith("pods/") && actor.includes("replicaset")), JSON.stringify(changes.slice(0, 5)));
for (const reason of ["Scheduled", "Pulled", "Started"]) assert.ok(events.includes(reason), `${reason}: ${events}`);
stopChanges();

const seen = [];
for await (const { type, object } of watch) {
  seen.push(`${type} ${object.status.phase}`);
  if (seen.filter((it) => it.endsWith("Running")).length > 1) break;
}
assert.match(seen[0], /^ADDED Pending/);

await assert.rejects(cluster.get("pods", { name: "nobody" }), /pods "nobody" not found/);
await assert.rejects(cluster.fault("melt node/worker"), /no such fault/);
assert.equal((await cluster.exec("sleep 100", { timeout: 1 })).code, 124);
await cluster.write("a.txt", "나루\n");
assert.equal((await cluster.exec("cat a.txt")).stdout, "나루\n");
assert.deepEqual(await cluster.read("a.txt"), new TextEncoder().encode("나루\n"));
assert.match((await cluster.exec("kubectl explain pod.spec.nodeName")).stdout, /FIELD: nodeName <string>/);

const session = await cluster.snapshot();
const digest = await cluster.digest();
await cluster.exec("kubectl delete deployment web");
const again = await Cluster.restore(session);
assert.equal(await again.digest(), digest, "a restored cluster has the same history");
assert.equal((await again.get("deployment", { name: "web" })).spec.replicas, 2);

await again.speed(100);
const start = await again.now();
while ((await again.now()) < start + 5) await new Promise((resolve) => setTimeout(resolve, 20));
await again.speed(0);
await Promise.all([cluster.close(), again.close()]);
await assert.rejects(cluster.exec("true"), /closed/);
console.log(`in Node ${process.version}: ${changes.length} changes, ${events.length} events, ${session.length} bytes of session`);
