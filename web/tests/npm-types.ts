// Compiled by npm.mjs where the package is installed: what its types must let through, and what not.
import { Cluster, type Change, type ExecResult, type KubernetesObject } from "naru";
import { NaruSandbox, type StepDetail } from "naru/element";

async function headless(): Promise<void> {
  const cluster: Cluster = await Cluster.start({ profile: "kind", seed: 1 });
  const { stdout, code }: ExecResult = await cluster.exec("kubectl get pods", { timeout: 60 });
  const pods: KubernetesObject = await cluster.get("pods", { namespace: "default" });
  const stop: () => void = cluster.on("change", (change: Change) => change.subject.toUpperCase());
  for await (const { type, object } of cluster.watch("pods")) if (type === "ADDED") object.metadata.name?.trim();
  const session: Uint8Array = await cluster.snapshot();
  await (await Cluster.restore(session)).close();
  stop();
  console.log(stdout, code + 1, pods.kind);
  // @ts-expect-error A cluster is started by Cluster.start.
  new Cluster();
  // @ts-expect-error There is no such event.
  cluster.on("weather", () => {});
  // @ts-expect-error Seconds are a number.
  await cluster.advance("30");
}

async function element(): Promise<void> {
  NaruSandbox.home = "/naru/";
  const sandbox: NaruSandbox = document.createElement("naru-sandbox");
  sandbox.on("step", ({ lesson, step, done }: StepDetail) => console.log(lesson.length, step + 1, done));
  document.addEventListener("naru-event", ({ detail }) => console.log(detail.kind === "fault", detail.seconds + 1));
  await sandbox.ready;
  await sandbox.type("kubectl get pods");
  // @ts-expect-error There is no such event.
  sandbox.on("weather", () => {});
}

void headless;
void element;
