import { PGlite } from "@electric-sql/pglite";
import assert from "node:assert/strict";
import { postgresDriver } from "../../../drivers/postgres/mod.ts";
import { Parley, workflow } from "../../../mod.ts";
import { pgliteTest } from "./support/pglite.ts";

pgliteTest("a step that blocks the thread for three leases beside work() runs once, over PGlite", async () => {
  const pglite = await PGlite.create();
  let runs = 0;
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("blocks", async () => {
      runs++;
      await new Promise((resolve) => setTimeout(resolve, 50));
      const until = performance.now() + 3_000;
      while (performance.now() < until);
      await new Promise((resolve) => setTimeout(resolve, 300));
    });
  });
  const parley = new Parley({ driver: postgresDriver(pglite), workflows: [flow], lease: "1s" });
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal });
  const handle = await parley.start(flow, undefined, { enqueue: true });
  await handle.result({ timeout: "60s" });
  controller.abort();
  await working;
  assert.deepEqual([runs, (await handle.status()).recoveryAttempts], [1, 0]);
  await pglite.close();
});
