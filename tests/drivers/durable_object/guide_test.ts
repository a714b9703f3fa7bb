import assert from "node:assert/strict";
import { read } from "../../project/files.ts";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { type RunningWorker, startWorker, type WorkerOptions } from "../../support/workerd/mod.ts";

/** The Worker of the guide, with an hour that takes three seconds. The object alone continues its workflows. */
async function startGuide(options: Partial<WorkerOptions>): Promise<RunningWorker> {
  const [, code = ""] = /```ts ignore\n(.*?)```/s.exec(read("docs/durable-objects.md")) ?? [];
  assert.match(code, /"1h"/);
  const directory = await Deno.makeTempDir({ prefix: "parley-guide-" });
  try {
    const entry = `${directory}/index.ts`;
    await Deno.writeTextFile(entry, code.replace('"1h"', '"3s"').replace("budget:", 'wake: "none", budget:'));
    return await startWorker({ entry, objects: { PARLEY: "ParleyObject" }, ...options });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const own = await startGuide({});
const bound = await startGuide({
  date: "2025-01-01",
  self: { binding: "PARLEY_ENTRYPOINT", entrypoint: "ParleyEntrypoint" },
});
Deno.test.afterAll(async () => {
  await own[Symbol.asyncDispose]();
  await bound[Symbol.asyncDispose]();
});

async function ask(worker: RunningWorker, method: string, id: string): Promise<{ status: string; output?: string }> {
  const response = await worker.fetch(`/${id}`, { method });
  assert(response.ok, await response.clone().text());
  return await response.json();
}

/** Asks for an order until it has ended. Starting it again changes nothing. */
async function outputOf(worker: RunningWorker, id: string): Promise<string | undefined> {
  for (let looks = 0; looks < 120; looks++) {
    const { status, output } = await ask(worker, "PUT", id);
    if (status === "SUCCESS") return output;
    await delay(systemClock, 250);
  }
}

for (const [name, worker] of [["by its exports", own], ["by a service binding, on an older date", bound]] as const) {
  Deno.test(`the guide's shop sells and forgets orders; the object finds the entry point ${name}`, async () => {
    assert.equal((await ask(worker, "PUT", "paid")).status, "PENDING");
    assert.equal((await ask(worker, "PUT", "forgotten")).status, "PENDING");
    await ask(worker, "POST", "paid");
    assert.equal(await outputOf(worker, "paid"), "a lamp is on its way");
    assert.equal(await outputOf(worker, "forgotten"), "The order has expired");
  });
}
