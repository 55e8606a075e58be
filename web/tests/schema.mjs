// What the editor knows of manifests. Run by run.mjs; needs no browser.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fieldMeaning, fieldsOf, optionsAt, placeAt, problemsOf } from "../js/schema.js";

const object = (properties, more = {}) => ({ type: "object", properties, ...more });
const of = (name) => ({ allOf: [{ $ref: `#/components/schemas/${name}` }] });
const SCHEMAS = {
  "io.k8s.api.apps.v1.Deployment": object({
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: of("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"),
    spec: of("io.k8s.api.apps.v1.DeploymentSpec"),
  }),
  "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": object({
    name: { type: "string" },
    labels: { type: "object", additionalProperties: { type: "string" } },
  }),
  "io.k8s.api.apps.v1.DeploymentSpec": object({
    replicas: { type: "integer", description: "Number of desired pods." },
    paused: { type: "boolean" },
    containers: { type: "array", items: { $ref: "#/components/schemas/io.k8s.api.core.v1.Container" } },
  }),
  "io.k8s.api.core.v1.Container": object({
    name: { type: "string" },
    image: { type: "string" },
    imagePullPolicy: { type: "string", description: "One of Always, Never, IfNotPresent. Defaults to Always." },
    command: { type: "array", items: { type: "string" } },
  }, { required: ["name"] }),
};
const HEAD = "apiVersion: apps/v1\nkind: Deployment\n";

describe("manifests in the editor", () => {
  test("fields are found with their paths, in lists and beside blocks of text", () => {
    const text = `${HEAD}spec:\n  containers:\n  - name: a\n    image: b\n  - name: c\n    command:\n    - sh\n    - |\n      no: field\n  replicas: 1\n---\nkind: Pod\n`;
    const paths = fieldsOf(text).map(({ document, path }) => `${document} ${path.join(".")}`);
    assert.deepEqual(paths, [
      "0 apiVersion", "0 kind", "0 spec", "0 spec.containers", "0 spec.containers.[].name",
      "0 spec.containers.[].image", "0 spec.containers.[].name", "0 spec.containers.[].command",
      "0 spec.replicas", "1 kind",
    ]);
  });

  test("what there is not, and what is of another type, is told", () => {
    const text = `${HEAD}metadata:\n  name: web\n  labels:\n    any/thing: goes\nspec:\n  replica: 2\n  replicas: two\n  paused: "true"\n  containers:\n  - nam: a\n`;
    const found = problemsOf(SCHEMAS, text).map(({ from, to, message }) => `${text.slice(from, to)}: ${message}`);
    assert.deepEqual(found, [
      'replica: unknown field "spec.replica"',
      "two: replicas <integer>",
      '"true": paused <boolean>',
      'nam: unknown field "spec.containers[0].nam"',
    ]);
    assert.deepEqual(problemsOf(SCHEMAS, "apiVersion: v9\nkind: Moon\nspec:\n  any: thing\n"), []);
  });

  test("what can be written is offered where one writes", () => {
    const offered = (text) => optionsAt(SCHEMAS, text, text.length)?.options.map(({ label }) => label);
    assert.deepEqual(offered(`${HEAD}spec:\n  re`), ["replicas", "paused", "containers"]);
    assert.deepEqual(offered(`${HEAD}spec:\n  containers:\n  - `), ["name", "image", "imagePullPolicy", "command"]);
    assert.deepEqual(offered(`${HEAD}spec:\n  containers:\n  - name: a\n    im`), ["name", "image", "imagePullPolicy", "command"]);
    assert.deepEqual(offered(`${HEAD}spec:\n  paused: `), ["true", "false"]);
    assert.deepEqual(offered(`${HEAD}spec:\n  containers:\n  - imagePullPolicy: A`), ["Always", "Never", "IfNotPresent"]);
    assert.deepEqual(offered("kind: Deployment\napiVersion: "), ["apps/v1"]);
    assert.equal(placeAt(`${HEAD}data:\n  a: |\n    te`, `${HEAD}data:\n  a: |\n    te`.length), null);
  });

  test("a field is explained", () => {
    const text = `${HEAD}spec:\n  replicas: 1\n`;
    const { name, type, text: means } = fieldMeaning(SCHEMAS, text, text.indexOf("replicas") + 3);
    assert.deepEqual([name, type, means], ["replicas", "integer", "Number of desired pods."]);
    assert.equal(fieldMeaning(SCHEMAS, text, text.indexOf("1\n")), null);
  });
});
