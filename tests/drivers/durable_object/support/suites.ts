/**
 * Runs the suites in a Worker.
 *
 * @module
 */

import { startWorker } from "../../../support/workerd/mod.ts";

/** Starts the Worker, and registers a test for each test in it. */
export async function registerSuites(bindings: { CRASHES: string }): Promise<void> {
  const worker = await startWorker({
    entry: "tests/drivers/durable_object/entries/suites.ts",
    bindings,
    objects: { STORE: "TestObject" },
    flags: ["nodejs_compat"],
  });
  Deno.test.afterAll(() => worker[Symbol.asyncDispose]());
  const response = await worker.fetch("/");
  if (!response.ok) throw new Error(await response.text());
  const names: string[] = await response.json();
  for (const [index, name] of names.entries()) {
    Deno.test(name, async () => {
      const answer = await worker.fetch(`/${index}`);
      const problem = await answer.text();
      if (!answer.ok) throw new Error(problem);
    });
  }
}
