// A test that ends. What a page never answers would be waited for for ever; and browsers on a busy machine
// lose a race now and then, which is no fault of the page. So each test has its time, and a second
// try that is told of.
import { test as plain } from "node:test";

/** How long one try may take, in milliseconds. */
const LIMIT_MS = 150_000;

/** Like `test` of node:test. */
export function test(name, run) {
  plain(name, async (context) => {
    try {
      await within(run(context));
    } catch (error) {
      context.diagnostic(`FAILED AT FIRST, and tried again: ${error.stack ?? error}`);
      await within(run(context));
    }
  });
}

async function within(tried) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  });
  try {
    await Promise.race([tried, late]);
  } finally {
    clearTimeout(timer);
    // Whoever was late may fail yet; nobody is told twice.
    tried.catch(() => {});
  }
}
