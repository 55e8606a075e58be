// What the npm package makes of JSON that comes in pieces. Run by npm.mjs, and by itself: node --test.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Documents } from "../npm/documents.js";

const DOCUMENTS = [
  { type: "ADDED", object: { metadata: { name: "a" } } },
  { text: 'braces } in "strings" { and \\ at ends \\', list: [[], [{}]] },
  [],
  { 나루: "터\n" },
];

describe("documents in pieces", () => {
  for (const size of [1, 2, 3, 7, 64, 10_000]) {
    test(`pieces of ${size}`, () => {
      const text = DOCUMENTS.map((it) => JSON.stringify(it, null, 2)).join("\n");
      const documents = new Documents();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...documents.take(text.slice(at, at + size)));
      assert.deepEqual(found, DOCUMENTS);
    });
  }

  test("what is not whole is not told", () => {
    assert.deepEqual(new Documents().take('{"a": "}"'), []);
  });
});
