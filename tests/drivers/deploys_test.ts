import assert from "node:assert/strict";
import { delay, systemClock } from "../../core/time/clock.ts";
import { type ListOptions, Parley } from "../../mod.ts";
import { LOCK } from "../../scripts/deno.ts";
import { address, order, payment } from "../support/deploys/orders.ts";
import { openDriver } from "../support/fleet/postgres.ts";
import { postgresUrl } from "./postgres/support/server.ts";

const COUNT = 1_000;
const PATIENCE_MS = 180_000;

const url = await postgresUrl();

/** A process of a deploy. Disposing of it kills it as `kill -9` does. */
function start(argument: string, deploy: "good" | "bad"): AsyncDisposable {
  const worker = new URL("../support/deploys/worker.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", LOCK, "-A", "--no-check", worker, argument, deploy],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** Waits until a list has all workflows. */
async function untilAll(parley: Parley, query: ListOptions, isRight: (waiting: string) => boolean): Promise<void> {
  for (const begun = Date.now();; await delay(systemClock, 200)) {
    const { workflows } = await parley.list({ ...query, limit: COUNT });
    const right = workflows.filter(({ waiting }) => isRight(waiting?.operations.join() ?? ""));
    if (right.length === COUNT) return;
    assert(Date.now() - begun < PATIENCE_MS, `${right.length} of ${COUNT} after ${PATIENCE_MS} ms`);
  }
}

Deno.test("1,000 workflows that a bad deploy has hit go on after the roll-back, with all messages that came meanwhile", async () => {
  const argument = JSON.stringify({ url, schema: `deploys ${crypto.randomUUID()}` });
  const { driver, close } = openDriver(argument);
  // This process only asks: the workflows run in others.
  const parley = new Parley({ driver, wake: "none" });
  const ids = Array.from({ length: COUNT }, (_, index) => `order-${index}`);
  const reserved = new Map<string, unknown>();
  try {
    {
      await using _good = start(argument, "good");
      await Promise.all(ids.map((id) => parley.start(order, id, { workflowId: id, enqueue: true })));
      await untilAll(parley, { status: "PENDING" }, (waiting) => waiting === 'recv "payment"');
    }
    await Promise.all(ids.map(async (id) => reserved.set(id, await parley.getEvent(id, "reserved", { timeout: 0 }))));
    {
      await using _bad = start(argument, "bad");
      const payments = ids.map((destinationId, amount) => ({ destinationId, message: { amount }, topic: payment }));
      await parley.sendAll(payments);
      await untilAll(parley, { problem: true }, () => true);
      await parley.sendAll(
        ids.map((destinationId) => ({ destinationId, message: `at ${destinationId}`, topic: address })),
      );
      const { problem, status, unread } = await parley.status("order-7");
      assert.deepEqual([problem?.name, status, unread], ["NonDeterminismError", "PENDING", 2]);
    }
    await using _rolledBack = start(argument, "good");
    await untilAll(parley, { status: "SUCCESS" }, () => true);
    for (const [amount, item] of ids.entries()) {
      const result = await parley.result(item);
      assert.deepEqual(result, { item, amount, street: `at ${item}`, reserved: reserved.get(item) });
    }
    const { recoveryAttempts, problem } = await parley.status("order-7");
    assert.deepEqual([recoveryAttempts, problem], [0, undefined]);
  } finally {
    await parley.close();
    await close?.();
  }
});
